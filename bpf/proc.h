/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The records that the BPF programs put on the ring buffer: the one description of them. What
 * src/kernel/wire.rs decodes comes from the BTF that clang makes of this file, or is checked
 * against it.
 */
#ifndef TUXSCOPE_PROC_H
#define TUXSCOPE_PROC_H

/* TASK_COMM_LEN of include/linux/sched.h: 15 bytes and a NUL. */
#define COMM_LEN 16

enum proc_event_type {
	PROC_FORK = 0,
	PROC_EXEC = 1,
	PROC_EXIT = 2,
	PROC_EXEC_FAILED = 3, /* wide mode */
	PROC_COST = 4, /* wide mode: no event, but what completes an exit */
	PROC_EVENT_TYPES,
	WIDE_CGROUP = 16, /* no event: what later ones need */
	WIDE_KILLED = 17, /* an exit, and who ended it */
	WIDE_THREAD_COST = 18, /* as PROC_COST, of a thread; lost ones are counted with those */
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
	WIDE_ARGS_CUT = 4, /* exec, failed or not: there are more arguments than were copied */
	WIDE_ARGS_UNREAD = 8, /* and: the arguments, or the rest of them, could not be read */
	WIDE_NO_EXEC = 16, /* the process still runs the program that it was forked with */
	WIDE_RSS_KNOWN = 32, /* exit: max_rss is told */
	WIDE_WAIT_KNOWN = 64, /* cost: cpu_wait_ns is told */
	WIDE_BLOCKS_KNOWN = 128, /* cost: the kernel counts block I/O by task */
};

/*
 * Records of the wide mode. Each kind has a struct of its own, and each begins with this header,
 * whose `kind` alone says which struct it is. src/kernel/wire.rs decodes the types that the
 * skeleton makes of these: integers and arrays of integers only. All padding has a name, so that
 * it can be zeroed: the ring hands out used memory, which would leak to the reader.
 */
#pragma clang diagnostic push
#pragma clang diagnostic error "-Wpadded"

struct wide_header {
	enum proc_event_type kind;
	enum wide_flags flags;
};

/* AUDIT_UID_UNSET of include/uapi/linux/audit.h */
#define NO_LOGIN ((__u32)-1)

/* What every event tells. Ids are process ids (TGIDs) but for those named tid. */
struct wide_event {
	struct wide_header header;
	__u64 timestamp_ns; /* CLOCK_MONOTONIC */
	__u64 start_ns; /* when the process began, CLOCK_MONOTONIC */
	__u64 exec_id; /* one more after each exec; a child begins with its maker's */
	__u64 cgroup_id; /* in the v2 hierarchy, 0 if the kernel has no cgroups */
	__u32 pid;
	__u32 ppid; /* of the real parent */
	__u32 tid; /* the task: fork: the new one; exec, exit: the current one */
	__u32 uid; /* real user id */
	__u8 comm[COMM_LEN]; /* of the thread group's leader, NUL-padded */
	__u32 ns_pid; /* pid as its own PID namespace numbers it; 0 in the initial one */
	__u32 pidns; /* that namespace's inode number; 0 in the initial one */
	__u32 login_uid; /* who logged in; NO_LOGIN where nobody did, or the kernel doesn't know */
	__u32 _padding;
};

struct wide_fork {
	struct wide_event event;
	__u32 parent_tid; /* the task that made it, */
	__u32 maker; /* and its process: with CLONE_PARENT not ppid */
};

struct wide_exec {
	struct wide_event event;
	__u64 max_rss; /* pages: what the program before it, and its memory, came to at most */
	__u32 filename_len; /* bytes, with the NUL */
	__u32 args_len; /* bytes, each argument with its NUL */
	__u32 caller_tid; /* the task that called it: it has the leader's id now */
	__u32 _padding;
	/* filename_len + args_len bytes follow, then slack */
};

/* An exec that returned to its caller, or never will: the kernel ends who has lost its program. */
struct wide_exec_failed {
	struct wide_event event;
	__s32 dirfd; /* where a relative name begins: as execveat(2) takes it */
	__u32 error; /* errno */
	__u32 filename_len; /* bytes, with the NUL; 0: it could not be read */
	__u32 args_len; /* bytes, each argument with its NUL */
	/* filename_len + args_len bytes follow, then slack */
};

struct wide_exit {
	struct wide_event event;
	__u64 began_ns; /* what ended, the process or the thread: CLOCK_MONOTONIC */
	__u64 start_boot_ns; /* when the process began, CLOCK_BOOTTIME: /proc has that */
	__u64 max_rss; /* pages: the most that its last program had resident */
	__u32 status; /* as wait(2) gives it */
	__u32 _padding;
};

enum killer_flags {
	KILLER_KNOWN = 1, /* the code is known */
	KILLER_NAMED = 2, /* a process sent it: the one that is named */
	KILLER_OOM = 4, /* the OOM killer chose the process */
};

/* How the signal came about that a process died of. */
struct wide_killer {
	enum killer_flags flags;
	__s32 code; /* si_code */
	__u32 pid; /* the sender's */
	__u32 uid; /* its real user id */
	__u8 comm[COMM_LEN]; /* of its thread group's leader, NUL-padded */
};

/* An exit by a signal of which something is known. */
struct wide_killed {
	struct wide_exit exit;
	struct wide_killer killer;
};

/* Where a cgroup lies: once, before the first event with its id; now and then again. */
struct wide_cgroup {
	struct wide_header header;
	__u64 id;
	__u32 names_len; /* bytes */
	__u32 whole; /* 0: the path can't be told */
	/* names_len bytes follow, then slack: the names from the cgroup up, each with its NUL */
};

/* What a task has cost. It comes some time after the exit, if at all: see bpf/cost.bpf.h. */
struct wide_task_cost {
	struct wide_header header;
	__u64 timestamp_ns; /* CLOCK_MONOTONIC */
	__u64 start_ns; /* with tid: whose */
	__u64 cpu_ns;
	__u64 cpu_wait_ns; /* ready to run and without a CPU */
	__u32 tid; /* of a process: its leader's, the pid */
	__u32 _padding;
};

/*
 * What a process has cost, its threads together, without its children's: what getrusage(2) and
 * wait4(2) give.
 */
struct wide_cost {
	struct wide_task_cost task;
	__u64 max_rss; /* pages, of all programs that it ran */
	__u64 minor_faults;
	__u64 major_faults;
	__u64 voluntary_switches;
	__u64 involuntary_switches;
	__u64 read_blocks; /* of 512 bytes */
	__u64 written_blocks;
};

#pragma clang diagnostic pop

/* What --follow learns of a task while it looks for the descendants that already run. */
struct maker {
	__u32 tgid; /* of the process that made it */
	__u32 followed; /* the BPF side knew at the fork that it is to be followed */
};

#endif
