// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The basic view: one record for each of the three sched tracepoints. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "proc.h"
#include "ring.bpf.h"
#include "filter.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Keeps the record's type in the object's BTF, where src/wire.rs finds its layout. */
const struct proc_event proc_event_layout = {};

static __always_inline int emit(enum proc_event_type type, __u32 pid, __u32 ppid)
{
	struct proc_event *event;
	__u64 now;

	if (!wanted(pid))
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
	return emit(PROC_FORK, ctx->child_pid, ctx->parent_pid);
}

/* Exec runs in the task itself, and after it the task's pid is its TGID. */
SEC("tp/sched/sched_process_exec")
int handle_exec(void *ctx)
{
	return emit(PROC_EXEC, bpf_get_current_pid_tgid() >> 32, 0);
}

/* Once a task, threads included. The record's type changed its name in 6.16 and isn't needed. */
SEC("tp/sched/sched_process_exit")
int handle_exit(void *ctx)
{
	return emit(PROC_EXIT, bpf_get_current_pid_tgid() >> 32, 0);
}
