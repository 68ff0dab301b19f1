/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The records that the BPF programs put on the ring buffer: the one description of them.
 * src/kernel/wire.rs mirrors it and checks itself against the BTF that clang makes of this file.
 */
#ifndef TUXSCOPE_PROC_H
#define TUXSCOPE_PROC_H

/* TASK_COMM_LEN of include/linux/sched.h: 15 bytes and a NUL. */
#define COMM_LEN 16

enum proc_event_type {
	PROC_FORK = 0,
	PROC_EXEC = 1,
	PROC_EXIT = 2,
	PROC_EVENT_TYPES,
};

/* A record of the basic mode. Its layout never changes: scripts and tutorials know it. */
struct proc_event {
	__u32 pid; /* fork: the child's task id; exec, exit: TGID of the current task */
	__u32 ppid; /* fork: the parent's task id; exec, exit: 0 */
	__u8 event_type; /* enum proc_event_type */
	__u8 _padding[7]; /* zero */
	__u64 timestamp_ns; /* CLOCK_MONOTONIC */
	char comm[COMM_LEN]; /* NUL-padded, any other byte may occur */
};

_Static_assert(sizeof(struct proc_event) == 40, "struct proc_event is 40 bytes");
_Static_assert(__builtin_offsetof(struct proc_event, pid) == 0, "pid");
_Static_assert(__builtin_offsetof(struct proc_event, ppid) == 4, "ppid");
_Static_assert(__builtin_offsetof(struct proc_event, event_type) == 8, "event_type");
_Static_assert(__builtin_offsetof(struct proc_event, _padding) == 9, "_padding");
_Static_assert(__builtin_offsetof(struct proc_event, timestamp_ns) == 16, "timestamp_ns");
_Static_assert(__builtin_offsetof(struct proc_event, comm) == 24, "comm");

enum wide_flags {
	WIDE_THREAD = 1, /* about the thread `tid` only, not about the process */
	WIDE_HIDDEN = 2, /* wasn't asked for: sent because a later line needs what it tells */
	WIDE_ARGS_CUT = 4, /* exec: there are more arguments than were copied */
	WIDE_ARGS_UNREAD = 8, /* exec: the arguments could not be read */
};

/* A record of the wide mode. Ids are process ids (TGIDs) but for those named tid. */
struct wide_event {
	__u32 pid;
	__u32 ppid; /* of the real parent */
	__u8 event_type; /* enum proc_event_type */
	__u8 flags; /* enum wide_flags */
	__u8 _padding[6]; /* zero */
	__u64 timestamp_ns; /* CLOCK_MONOTONIC */
	char comm[COMM_LEN]; /* of the thread group's leader */
	__u64 start_ns; /* when the process began, CLOCK_MONOTONIC */
	__u64 cgroup_id; /* in the v2 hierarchy */
	__u32 tid;
	__u32 uid; /* real user id */
	union {
		__u32 parent_tid; /* fork: the task that made it */
		__u32 status; /* exit: as wait(2) gives it */
		__u32 filename_len; /* exec: bytes, with the NUL */
	};
	__u32 args_len; /* exec: bytes; else 0 */
	/*
	 * exec: filename_len + args_len bytes follow, arguments NUL-terminated; then slack.
	 * exit: a __u64 follows, when what ended began: the process or the thread.
	 */
};

_Static_assert(sizeof(struct wide_event) == 72, "struct wide_event is 72 bytes");

/* What --follow learns of a task while it looks for the descendants that already run. */
struct maker {
	__u32 tgid; /* of the process that made it */
	__u32 followed; /* the BPF side knew at the fork that it is to be followed */
};

#endif
