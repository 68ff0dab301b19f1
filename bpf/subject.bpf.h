/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the handlers of the wide mode have in common: whom an event is of, whether it is sent, and
 * what each record begins with.
 */
#ifndef TUXSCOPE_SUBJECT_BPF_H
#define TUXSCOPE_SUBJECT_BPF_H

/* --threads: tell of threads, too */
const volatile __u8 show_threads = 0;
/* --max-args, in bytes */
const volatile __u32 max_args = 4096;
/* Exits are asked for: their lines tell what fork and exec knew, so those are sent, if hidden. */
const volatile __u8 keep_lives = 0;
/* Failed execs are asked for: of a search along PATH that found its file, nothing is told. */
const volatile __u8 keep_execs = 0;

#define PF_FORKNOEXEC 0x40 /* include/linux/sched.h */

/* What a handler knows of its event before it asks for room on the ring. */
struct subject {
	struct task_struct *task;
	struct task_struct *leader;
	struct pid *pid;
	__u32 pid_level;
	__u32 tgid;
	__u32 ppid;
	__u32 nth; /* of the programs for this kind of event */
	enum wide_flags flags;
	__u64 cgroup_id;
	char comm[COMM_LEN];
	__u64 max_rss; /* exec */
};

/*
 * Follows the task's pointers, once and before the first branch: where the task is a trusted one
 * (see HANDLER) the verifier takes long for each of them, on each path again.
 */
static __always_inline void look_at(struct subject *subject, struct task_struct *task)
{
	subject->task = task;
	subject->leader = task->group_leader;
	subject->tgid = task->tgid;
	subject->ppid = subject->leader->real_parent->tgid;
	subject->pid = subject->leader->thread_pid;
	subject->pid_level = subject->pid->level;
}

/*
 * Whether the event is sent; sets WIDE_HIDDEN where only a later line wants it. An exec is such a
 * one whoever the process is by now: name, user, parent and cgroup may be others at its exit, whose
 * line tells the last exec's arguments. Its pid and whether it is followed stay.
 */
static __always_inline int wanted(struct subject *subject, const enum proc_event_type type,
				  int in_tree, int failed)
{
	bpf_probe_read_kernel(subject->comm, COMM_LEN, subject->leader->comm);
	if (!wanted_pid(subject->tgid) || !in_tree)
		return 0;
	if (wanted_ppid(subject->ppid) && wanted_user() && wanted_name(subject->comm) &&
	    (type == PROC_FORK || wanted_current_cgroup()) &&
	    in_wanted_place(subject->task, type, subject->nth)) {
		if ((wanted_events & (1 << type)) && (!only_failed || failed))
			return 1;
	} else if (type != PROC_EXEC) {
		return 0;
	}
	if (type == PROC_EXEC ? !keep_lives && !keep_execs : !keep_lives || type != PROC_FORK)
		return 0;
	if (subject->flags & WIDE_THREAD)
		return 0;
	subject->flags |= WIDE_HIDDEN;
	return 1;
}

static __always_inline void count_lost(const struct subject *subject,
				       const enum proc_event_type type)
{
	if (subject->flags & WIDE_HIDDEN)
		__sync_fetch_and_add(&lost_unshown, 1);
	else
		__sync_fetch_and_add(&lost[type], 1);
}

/* What is to be on the ring before the event itself. */
static __always_inline int prepare(struct subject *subject, const enum proc_event_type type)
{
	subject->cgroup_id = cgroup_id(subject->task, type);
	if (tell_cgroup(subject->task, subject->cgroup_id))
		return 1;
	count_lost(subject, type);
	return 0;
}

static __always_inline void *reserve(__u64 size, const struct subject *subject,
				     const enum proc_event_type type)
{
	void *record = bpf_ringbuf_reserve(&events, size, 0);

	if (!record)
		count_lost(subject, type);
	return record;
}

/* MAX_PID_NS_LEVEL of include/linux/pid_namespace.h: how deep they nest. */
#define PID_LEVELS 32

/* What a pid is in its own namespace, at that level below the initial one. */
static __always_inline struct upid *innermost(struct pid *pid, __u64 level)
{
	/* The verifier of 5.10 wants to see that it is bounded, and doesn't see it in what clang 19
	 * makes of the comparison. */
	if (level > PID_LEVELS)
		level = PID_LEVELS;
	barrier_var(level);
	level &= 2 * PID_LEVELS - 1;
	return (void *)pid + bpf_core_field_offset(struct pid, numbers) +
	       level * bpf_core_type_size(struct upid);
}

/* What only the task tells: handlers that are not given it have to read it by other means. */
struct of_task {
	__u32 tid;
	__u32 leader_flags;
	__u64 start_ns;
	__u64 exec_id;
	__u32 login_uid;
};

static __always_inline void fill_from(struct wide_event *event, const struct subject *subject,
				      const enum proc_event_type type, const struct of_task *task)
{
	event->header.kind = type;
	event->header.flags = subject->flags;
	if (task->leader_flags & PF_FORKNOEXEC)
		event->header.flags |= WIDE_NO_EXEC;
	event->timestamp_ns = bpf_ktime_get_ns();
	event->start_ns = task->start_ns;
	event->exec_id = task->exec_id;
	event->cgroup_id = subject->cgroup_id;
	event->pid = subject->tgid;
	event->ppid = subject->ppid;
	event->tid = task->tid;
	event->uid = bpf_get_current_uid_gid();
	__builtin_memcpy(event->comm, subject->comm, COMM_LEN);
	event->ns_pid = 0;
	event->pidns = 0;
	if (subject->pid_level) {
		struct upid *own = innermost(subject->pid, subject->pid_level);

		event->ns_pid = BPF_CORE_READ(own, nr);
		event->pidns = BPF_CORE_READ(own, ns, ns.inum);
	}
	event->login_uid = task->login_uid;
	event->_padding = 0;
}

static __always_inline void fill(struct wide_event *event, const struct subject *subject,
				 const enum proc_event_type type)
{
	struct of_task task = {
		.tid = subject->task->pid,
		.leader_flags = subject->leader->flags,
		.start_ns = subject->leader->start_time,
		.exec_id = subject->leader->self_exec_id,
		.login_uid = NO_LOGIN,
	};

	if (bpf_core_field_exists(subject->leader->loginuid))
		task.login_uid = subject->leader->loginuid.val;
	fill_from(event, subject, type, &task);
}

#endif
