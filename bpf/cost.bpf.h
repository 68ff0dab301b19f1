/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a process has cost. At the exit's tracepoint that isn't known yet: from 6.16 on it comes
 * before memory and files are released, and before that the last thread's part is still missing.
 * When the leader is freed, all threads were released and their parts added up in the process'
 * signal_struct, which is still there (kernel/fork.c: put_signal_struct comes later). That is
 * after the parent has reaped it and a grace period of RCU: some 10 to 30 ms after the exit, and
 * never for a zombie that nobody reaps.
 */
#ifndef TUXSCOPE_COST_BPF_H
#define TUXSCOPE_COST_BPF_H

/* Names a task: an id may come back before what is kept of an earlier owner is gone. */
struct task_key {
	__u32 tid;
	__u32 _padding;
	__u64 start_ns;
};

/* Not every exit is told, and only what those have cost that were. */
const volatile __u8 some_exits = 0;

/* Those whose exit was told and whose cost was not. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* user space sets it */
	__type(key, struct task_key);
	__type(value, __u8);
} awaited SEC(".maps");

/*
 * At an exit that was told. Where there is no room for it, its cost will be missing, however large
 * the ring: what user space says of lost costs alone names both causes.
 */
static __always_inline void await_cost(__u32 tid, __u64 start_ns)
{
	struct task_key key = { .tid = tid, .start_ns = start_ns };
	__u8 one = 1;

	/* An int: before 6.4 (d7ba4cc900bf) the upper half of what is returned is undefined. */
	if (some_exits && (int)bpf_map_update_elem(&awaited, &key, &one, BPF_ANY))
		__sync_fetch_and_add(&lost[PROC_COST], 1);
}

static __always_inline int cost_is_awaited(__u32 tid, __u64 start_ns)
{
	struct task_key key = { .tid = tid, .start_ns = start_ns };

	return !some_exits || (int)bpf_map_delete_elem(&awaited, &key) == 0;
}

/*
 * The most that a process' last program had resident, in pages; 0 where it can't be told. The
 * kernel's own figure, signal->maxrss, is that of all programs that the process ever ran, and of
 * the one that made it, where that lent it its memory (vfork). From 6.16 on the memory is still
 * there at the exit; this computes what the kernel does (setmax_mm_hiwater_rss), but of that alone.
 */
static __always_inline __u64 image_max_rss(struct mm_struct *mm)
{
	__u64 peak, now = 0;
	__s64 pages;

	if (!tells_group_dead() || !bpf_core_field_exists(mm->rss_stat[0].count) || !mm)
		return 0;
	peak = mm->hiwater_rss;
	pages = mm->rss_stat[MM_FILEPAGES].count;
	now += pages > 0 ? pages : 0;
	pages = mm->rss_stat[MM_ANONPAGES].count;
	now += pages > 0 ? pages : 0;
	pages = mm->rss_stat[MM_SHMEMPAGES].count;
	now += pages > 0 ? pages : 0;
	return peak > now ? peak : now;
}

/* The kernel counts it where each task that ever ran has done so at least once. */
static __always_inline int waits_are_counted(struct task_struct *task)
{
	return bpf_core_field_exists(task->sched_info) && task->sched_info.pcount;
}

/* Of a process: its leader, and the CPU time of all its threads. */
static __always_inline void fill_cost(struct wide_task_cost *cost, struct task_struct *task,
				      const enum proc_event_type kind, __u64 cpu_ns)
{
	cost->header.kind = kind;
	cost->header.flags = 0;
	cost->timestamp_ns = bpf_ktime_get_ns();
	cost->start_ns = task->start_time;
	cost->cpu_ns = cpu_ns;
	cost->cpu_wait_ns = 0;
	/* Not summed up: only that of a process which had no other thread is known. */
	if (waits_are_counted(task) && cpu_ns == task->se.sum_exec_runtime) {
		cost->cpu_wait_ns = task->sched_info.run_delay;
		cost->header.flags = WIDE_WAIT_KNOWN;
	}
	cost->tid = task->pid;
	cost->_padding = 0;
}

static __always_inline void tell_cost(struct task_struct *leader, struct signal_struct *signal)
{
	struct wide_cost *cost = ring_reserve(sizeof(*cost), PROC_COST);

	if (!cost)
		return;
	fill_cost(&cost->task, leader, PROC_COST, signal->sum_sched_runtime);
	cost->max_rss = signal->maxrss;
	cost->minor_faults = signal->min_flt;
	cost->major_faults = signal->maj_flt;
	cost->voluntary_switches = signal->nvcsw;
	cost->involuntary_switches = signal->nivcsw;
	if (bpf_core_field_exists(leader->ioac.read_bytes))
		cost->task.header.flags |= WIDE_BLOCKS_KNOWN;
	cost->read_blocks = signal->inblock;
	cost->written_blocks = signal->oublock;
	ring_submit(cost, cost->task.timestamp_ns);
}

/* --threads */
static __always_inline void tell_thread_cost(struct task_struct *task)
{
	struct wide_task_cost *cost = ring_reserve(sizeof(*cost), PROC_COST);

	if (!cost)
		return;
	fill_cost(cost, task, WIDE_THREAD_COST, task->se.sum_exec_runtime);
	ring_submit(cost, cost->timestamp_ns);
}

#endif
