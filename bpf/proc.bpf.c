// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The basic mode: one record for each of the three sched tracepoints. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "proc.h"
#include "ring.bpf.h"
#include "filter.bpf.h"
#include "compat.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Keeps the record's type in the object's BTF, which src/kernel/wire.rs compares itself with. */
const struct proc_event proc_event_layout = {};

static __always_inline struct task_struct *current_task(void)
{
	return (struct task_struct *)bpf_get_current_task();
}

static __always_inline __u32 current_status(void)
{
	struct task_struct *task = current_task();

	return wait_status(
	    BPF_CORE_READ(task, signal, flags), BPF_CORE_READ(task, signal, group_exit_code),
	    BPF_CORE_READ(task, group_leader, flags), BPF_CORE_READ(task, group_leader, exit_code));
}

/* `tgid` is that of the current task, `in_tree` whether --follow wants it. */
static __always_inline int wanted(enum proc_event_type type, __u32 pid, __u32 tgid, int in_tree)
{
	char comm[COMM_LEN] = {};

	if (!(wanted_events & (1 << type)) || !wanted_pid(pid) || !in_tree)
		return 0;
	if (filter_ppids) {
		/* A fork's child is the current process' own. */
		__u32 ppid =
		    type == PROC_FORK ? tgid : BPF_CORE_READ(current_task(), real_parent, tgid);

		if (!wanted_ppid(ppid))
			return 0;
	}
	if (filter_comm)
		bpf_get_current_comm(comm, sizeof(comm));
	/* A fork's record does not lead to the child, whose cgroup is here taken to be its maker's.
	 */
	if (!wanted_name(comm) || !wanted_user() || !wanted_current_cgroup())
		return 0;
	return !only_failed || (type == PROC_EXIT && current_status() != 0);
}

static __always_inline int emit(enum proc_event_type type, __u32 pid, __u32 ppid, __u32 tgid,
				int in_tree)
{
	struct proc_event *event;
	__u64 now;

	if (!wanted(type, pid, tgid, in_tree))
		return 0;
	event = ring_reserve(sizeof(*event), type);
	if (!event)
		return 0;

	now = bpf_ktime_get_ns();
	event->pid = pid;
	event->ppid = ppid;
	event->event_type = type;
	/* The ring hands out used memory: what isn't written would leak to the reader. */
	__builtin_memset(event->_padding, 0, sizeof(event->_padding));
	event->timestamp_ns = now;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	ring_submit(event, now);
	return 0;
}

/*
 * Only the two ids are read from the record: Linux 6.16 moved them (its comm fields became
 * __data_loc), CO-RE follows; the comm fields themselves have no name that both sides know.
 * The child's comm is its parent's, which is the current task.
 */
SEC("tp/sched/sched_process_fork")
int handle_fork(struct trace_event_raw_sched_process_fork *ctx)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	int in_tree = 0;

	/* The record doesn't say whether the child is a thread: then its task id is marked. */
	if (tracing || adopting)
		in_tree = follow_fork(tgid, ctx->child_pid);
	if (!tracing)
		return 0;
	return emit(PROC_FORK, ctx->child_pid, ctx->parent_pid, tgid, in_tree);
}

/* Exec runs in the task itself, and after it the task's pid is its TGID. */
SEC("tp/sched/sched_process_exec")
int handle_exec(struct trace_event_raw_sched_process_exec *ctx)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (!tracing)
		return 0;
	follow_exec(tgid, ctx->old_pid);
	return emit(PROC_EXEC, tgid, 0, tgid, wanted_tree(tgid));
}

/* Once a task, threads included. The record's type changed its name in 6.16 and isn't needed. */
SEC("tp/sched/sched_process_exit")
int handle_exit(void *ctx)
{
	__u64 ids = bpf_get_current_pid_tgid();
	__u32 tgid = ids >> 32, tid = ids;

	if (!tracing)
		return 0;
	if (learn && learning != LEARN_OVER)
		learn_exit(current_task());
	emit(PROC_EXIT, tgid, 0, tgid, wanted_tree(tgid));
	if (tid == tgid)
		follow_exit(tgid);
	else
		follow_thread_exit(tid);
	return 0;
}
