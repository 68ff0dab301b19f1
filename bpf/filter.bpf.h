/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which events are kept, and who is followed. What isn't asked for is read-only data set to 0
 * before the load, so that the verifier removes its code from the program.
 */
#ifndef TUXSCOPE_FILTER_BPF_H
#define TUXSCOPE_FILTER_BPF_H

/*
 * Set by user space when all three handlers are attached, cleared before any is detached: a
 * capture begins and ends for all kinds of events at one instant. Attaching takes milliseconds a
 * handler, and a process that lived in between would be seen in parts.
 */
volatile __u32 tracing = 0;

/* --event: a bit for each enum proc_event_type */
const volatile __u8 wanted_events = 7;
/* --pid without --follow */
const volatile __u8 filter_pids = 0;
/* --ppid */
const volatile __u8 filter_ppids = 0;
/* --comm */
const volatile __u8 filter_comm = 0;
const volatile char wanted_comm[COMM_LEN] = {};
/* --uid */
const volatile __u8 filter_uid = 0;
const volatile __u32 wanted_uid = 0;
/* --cgroup: its id, beside the map that a helper wants */
const volatile __u8 filter_cgroup = 0;
const volatile __u64 wanted_cgroup = 0;
/* --failed */
const volatile __u8 only_failed = 0;
/* --follow */
const volatile __u8 follow = 0;
/* --follow, but not running a command: what already runs is to be found, which takes reading
 * kernel memory; lockdown forbids programs that could. */
const volatile __u8 learn = 0;

/*
 * --follow: the processes that user space names: the roots, and those of their descendants that
 * were alive at the start. --pid: those whose events are kept.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* user space sets it */
	__type(key, __u32);
	__type(value, __u8);
} pids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* user space sets it */
	__type(key, __u32);
	__type(value, __u8);
} ppids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} cgroups SEC(".maps");

/*
 * --follow: who descends from the roots, a byte for each possible pid. Marked in the fork
 * handler, whatever becomes of the record, so that a subtree is never lost because an event was;
 * and looked up by the maker's id, so that no reparenting loses anybody. A bitmap would need
 * atomics that came with 5.12, a hash could be full.
 */
#define FOLLOW_BLOCK 64

/*
 * What a mark is while its owner lives, and once it has ended: its last threads may still be on
 * their way out then.
 */
enum { MARK_ALIVE = 1, MARK_ENDED = 2 };

struct follow_block {
	__u8 marked[FOLLOW_BLOCK];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* user space sets it */
	__type(key, __u32);
	__type(value, struct follow_block);
} descendants SEC(".maps");

/*
 * --follow, while user space looks through /proc for descendants that already run: first all
 * events pass, so that it can sort them out, then only those of tasks that are known.
 */
enum { LEARN_OVER = 0, LEARN_ALL = 1, LEARN_KNOWN = 2 };
volatile __u32 learning = LEARN_OVER;

/*
 * Meanwhile: who made whom, a struct maker for each task id. /proc alone can't tell: a process
 * may end before it is read there, and its children then have another parent.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* user space sets it */
	__type(key, __u32);
	__type(value, struct maker);
} makers SEC(".maps");

/*
 * Children of a task that are noted at its end. More are counted as lost. The verifier of 6.1 walks
 * through each round, of some 110 instructions.
 */
#define MAX_CHILDREN 512

#define EEXIST 17 /* include/uapi/asm-generic/errno-base.h */

static __always_inline void note_maker(__u32 task, const struct maker *maker, __u64 flags)
{
	/* An int: before 6.4 (d7ba4cc900bf) the upper half of what is returned is undefined. */
	int error = bpf_map_update_elem(&makers, &task, maker, flags);

	/* The map is full: a descendant may not be found. */
	if (error && error != -EEXIST)
		__sync_fetch_and_add(&lost_unshown, 1);
}

/*
 * Running a command: while set, what the program itself forks is followed. So it needs to know
 * no pid, and the one that it sees may be of a PID namespace, where the kernel's is another.
 */
volatile __u32 adopting = 0;
const volatile __u32 own_tgid = 0;
const volatile __u64 own_pidns_dev = 0;
const volatile __u64 own_pidns_ino = 0;

/*
 * How many are followed that have not ended: processes in the wide mode, tasks in the basic one.
 * Counted from the adoption on only; it is not known how many threads a seed has.
 */
__s64 alive = 0;

static __always_inline int is_own_fork(void)
{
	struct bpf_pidns_info own = {};

	if (!adopting ||
	    bpf_get_ns_current_pid_tgid(own_pidns_dev, own_pidns_ino, &own, sizeof(own)))
		return 0;
	return own.tgid == own_tgid;
}

static __always_inline __u8 *mark_of(__u32 pid)
{
	__u32 block = pid / FOLLOW_BLOCK;
	struct follow_block *found = bpf_map_lookup_elem(&descendants, &block);

	return found ? &found->marked[pid % FOLLOW_BLOCK] : NULL;
}

static __always_inline int followed(__u32 tgid)
{
	__u8 *mark = mark_of(tgid);

	return (mark && *mark) || bpf_map_lookup_elem(&pids, &tgid);
}

/*
 * At a fork: `child` belongs to those that are followed if its maker does. Returns whether the
 * fork is wanted: as wanted_tree(maker_tgid), which need not be asked then.
 */
static __always_inline int follow_fork(__u32 maker_tgid, __u32 child)
{
	struct maker maker = { .tgid = maker_tgid };
	int in_tree;
	__u8 *mark;

	if (!follow)
		return 1;
	in_tree = followed(maker_tgid);
	maker.followed = in_tree || is_own_fork();
	/* Whatever an earlier owner of the id left goes now, and not before: its last threads may
	 * still be on their way out when it has ended. */
	if (bpf_map_lookup_elem(&pids, &child)) /* takes no lock */
		bpf_map_delete_elem(&pids, &child);
	mark = mark_of(child);
	if (mark) {
		int was_alive = *mark == MARK_ALIVE; /* the kernel skipped the handler of its end */

		*mark = maker.followed ? MARK_ALIVE : 0;
		if (!!*mark != was_alive)
			__sync_fetch_and_add(&alive, *mark ? 1 : -1);
	}
	if (learning != LEARN_OVER)
		note_maker(child, &maker, BPF_ANY);
	return learning == LEARN_ALL || in_tree;
}

/* At the exit of a task, whose children get another parent now: notes whose they were. */
static __always_inline void learn_exit(struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);
	struct maker maker = { .tgid = BPF_CORE_READ(task, real_parent, tgid) };
	void *head = (void *)task + bpf_core_field_offset(struct task_struct, children);
	void *at = BPF_CORE_READ(task, children.next), *next;

	note_maker(tgid, &maker, BPF_NOEXIST);
	maker.tgid = tgid;
	for (int i = 0; i < MAX_CHILDREN && at != head; i++) {
		struct task_struct *child = at - bpf_core_field_offset(struct task_struct, sibling);

		note_maker(BPF_CORE_READ(child, tgid), &maker, BPF_NOEXIST);
		next = BPF_CORE_READ(child, sibling.next);
		/* Taken from the list just now, as when SIGCHLD is ignored: it leads nowhere. */
		at = next == at ? BPF_CORE_READ(task, children.next) : next;
	}
	if (at != head)
		__sync_fetch_and_add(&lost_unshown, 1);
}

/* At the exit of a process, or (basic mode) of the task that has its id. */
static __always_inline void follow_exit(__u32 tgid)
{
	__u8 *mark;

	if (!follow)
		return;
	mark = mark_of(tgid);
	if (mark && *mark) {
		*mark = MARK_ENDED;
		__sync_fetch_and_add(&alive, -1);
	}
}

/*
 * Basic mode, at the exit of any other task. Threads that the kernel made for itself, such as
 * io_uring's, came without a fork: they have no mark, or an old one of a process that has ended.
 * Their flags would tell, too, but lockdown forbids programs that read them.
 */
static __always_inline void follow_thread_exit(__u32 tid)
{
	__u8 *mark;

	if (!follow)
		return;
	mark = mark_of(tid);
	if (mark && *mark == MARK_ALIVE) {
		*mark = 0;
		__sync_fetch_and_add(&alive, -1);
	}
}

/*
 * Basic mode, at an exec: a thread takes its leader's id, and the one that it had ends without an
 * exit. Of the two that count as alive the leader has ended by then, and the other is who goes on.
 */
static __always_inline void follow_exec(__u32 tgid, __u32 old_tid)
{
	__u8 *mark;

	if (!follow || old_tid == tgid)
		return;
	mark = mark_of(old_tid);
	if (mark)
		*mark = 0;
}

static __always_inline int wanted_pid(__u32 pid)
{
	return !filter_pids || bpf_map_lookup_elem(&pids, &pid);
}

static __always_inline int wanted_tree(__u32 tgid)
{
	return !follow || learning == LEARN_ALL || followed(tgid);
}

static __always_inline int wanted_ppid(__u32 ppid)
{
	return !filter_ppids || bpf_map_lookup_elem(&ppids, &ppid);
}

static __always_inline int wanted_name(const char comm[COMM_LEN])
{
	if (filter_comm)
		for (int i = 0; i < COMM_LEN; i++) {
			if (comm[i] != wanted_comm[i])
				return 0;
			if (!comm[i])
				break;
		}
	return 1;
}

/* A fork's child has its maker's user id. */
static __always_inline int wanted_user(void)
{
	return !filter_uid || (__u32)bpf_get_current_uid_gid() == wanted_uid;
}

static __always_inline int wanted_current_cgroup(void)
{
	return !filter_cgroup || bpf_current_task_under_cgroup(&cgroups, 0) == 1;
}

/* Far deeper than anybody nests cgroups. */
#define MAX_CGROUP_DEPTH 64

/* Of a child, which CLONE_INTO_CGROUP may have put into another cgroup than its maker's. */
static __always_inline int wanted_childs_cgroup(struct task_struct *child,
						struct task_struct *maker)
{
	struct cgroup *cgroup;

	if (!filter_cgroup || BPF_CORE_READ(child, cgroups) == BPF_CORE_READ(maker, cgroups))
		return wanted_current_cgroup();
	cgroup = BPF_CORE_READ(child, cgroups, dfl_cgrp);
	for (int i = 0; i < MAX_CGROUP_DEPTH && cgroup; i++) {
		void *parent;

		if (BPF_CORE_READ(cgroup, kn, id) == wanted_cgroup)
			return 1;
		parent = BPF_CORE_READ(cgroup, self.parent);
		cgroup = parent ? parent - bpf_core_field_offset(struct cgroup, self) : NULL;
	}
	if (cgroup) /* too deep to tell: it may be wanted */
		__sync_fetch_and_add(&lost[PROC_FORK], 1);
	return 0;
}

#endif
