/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every difference between kernels, each with the version that brought it. */
#ifndef TUXSCOPE_COMPAT_BPF_H
#define TUXSCOPE_COMPAT_BPF_H

/*
 * include/linux/sched/signal.h; the flag's value has not changed since 2.6.
 */
#define SIGNAL_GROUP_EXIT 0x4

/* include/linux/sched.h */
#define PF_EXITING 0x4
/* Since 5.12. Before, the bit was PF_VCPU: never at an exit, for it is that of a running guest. */
#define PF_IO_WORKER 0x10
/* Since 6.4. Up to 5.16 the bit was PF_USED_ASYNC, which a module's loader may end with. */
#define PF_USER_WORKER 0x4000

/*
 * The status that wait(2) will give for a process: that of exit_group(2) or of the signal which
 * ended the whole group, else that of the leader's own exit. While the leader lives it has none:
 * its exit_code then tells a tracer or its parent why it is stopped. It takes values, because the
 * two program types read the kernel's memory by different means.
 */
static __always_inline __u32 wait_status(__u32 signal_flags, __u32 group_exit_code,
					 __u32 leader_flags, __u32 leader_exit_code)
{
	if (signal_flags & SIGNAL_GROUP_EXIT)
		return group_exit_code;
	return leader_flags & PF_EXITING ? leader_exit_code : 0;
}

/*
 * Whether the kernel made this thread of a process for a purpose of its own: io_uring's workers,
 * vhost's. Such a thread comes without sched_process_fork, but ends as others do.
 */
static __always_inline int made_by_kernel(__u32 task_flags)
{
	__u32 makers = PF_IO_WORKER;

	if (bpf_core_field_exists(((struct signal_struct *)0)->group_exec_task)) /* 5.17 */
		makers |= PF_USER_WORKER;
	return task_flags & makers;
}

/*
 * Linux 6.16 gave sched_process_exit a second argument, group_dead, and its record a type of its
 * own. Before, the count of live threads tells: but two threads that leave at the same instant
 * may both find it 0, so there the caller has to see to it that only the first one counts.
 */
#define tells_group_dead()                                                                         \
	bpf_core_field_exists(((struct trace_event_raw_sched_process_exit *)0)->group_dead)

extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak; /* 6.2 */

/*
 * Two programs that do the same with the task that the tracepoint hands over, of which user space
 * loads one. From 6.4 on the verifier looks through all types of the kernel, up to four times, for
 * each pointer that it finds loaded from a trusted one, which took a third of the time to start;
 * one that is cast it only lets read. But a kernel that interprets BPF programs takes none that has
 * the cast in it, even where it is never reached.
 */
#define HANDLER(name, tracepoint, tell, nth)                                                       \
	SEC("tp_btf/" tracepoint)                                                                  \
	int name(unsigned long long *ctx)                                                          \
	{                                                                                          \
		return tell(ctx, (void *)ctx[nth]);                                                \
	}                                                                                          \
                                                                                                   \
	SEC("tp_btf/" tracepoint)                                                                  \
	int name##_cast(unsigned long long *ctx)                                                   \
	{                                                                                          \
		__u32 type = bpf_core_type_id_kernel(struct task_struct);                          \
                                                                                                   \
		return tell(ctx, bpf_rdonly_cast((void *)ctx[nth], type));                         \
	}

/* 6.15 (633488947ef6) renamed it, when RCU came to protect it. */
static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *node)
{
	if (bpf_core_field_exists(node->__parent))
		return BPF_CORE_READ(node, __parent);
	return (void *)BPF_CORE_READ((struct kernfs_node___before_6_15 *)node, parent);
}

#endif
