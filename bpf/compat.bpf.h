/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every difference between kernels, each with the version that brought it. */
#ifndef TUXSCOPE_COMPAT_BPF_H
#define TUXSCOPE_COMPAT_BPF_H

/*
 * include/linux/sched/signal.h; the flag's value has not changed since 2.6.
 */
#define SIGNAL_GROUP_EXIT 0x4

/*
 * The status that wait(2) will give for a process: that of exit_group(2) or of the signal which
 * ended the whole group, else that of the leader's own exit. It takes values, because the two
 * program types read the kernel's memory by different means.
 */
static __always_inline __u32 wait_status(__u32 signal_flags, __u32 group_exit_code,
					 __u32 leader_exit_code)
{
	return signal_flags & SIGNAL_GROUP_EXIT ? group_exit_code : leader_exit_code;
}

/*
 * Linux 6.16 gave sched_process_exit a second argument, group_dead, and its record a type of its
 * own. Before, the count of live threads tells: but two threads that leave at the same instant
 * may both find it 0, so there the caller has to see to it that only the first one counts.
 */
#define tells_group_dead()                                                                         \
	bpf_core_field_exists(((struct trace_event_raw_sched_process_exit *)0)->group_dead)

#endif
