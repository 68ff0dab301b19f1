/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The paths of cgroups, sent once an id, before the first event that needs it: a cgroup may be
 * gone at once, and its id then names nothing any more.
 */
#ifndef TUXSCOPE_CGROUP_BPF_H
#define TUXSCOPE_CGROUP_BPF_H

/* The reader knows a v2 hierarchy, as /proc/PID/cgroup does. */
const volatile __u8 name_cgroups = 0;
/* In a cgroup namespace: the id of its root, where paths begin; else 0. */
const volatile __u64 cgroup_root = 0;

/*
 * Ids whose path was sent, with the epoch in which it was. The reader begins a new one when it
 * forgets old paths; what the LRU forgets is just sent again.
 */
volatile __u32 cgroup_epoch = 0;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u32);
} cgroups_told SEC(".maps");

/* A child may be made in another cgroup than its maker's: CLONE_INTO_CGROUP. */
static __always_inline __u64 cgroup_id(struct task_struct *task, const enum proc_event_type type)
{
	if (!bpf_core_field_exists(task->cgroups)) /* CONFIG_CGROUPS=n */
		return 0;
	if (type != PROC_FORK)
		return bpf_get_current_cgroup_id();
	return BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
}

#define NAME_ROOM 256 /* NAME_MAX of include/uapi/linux/limits.h, and a NUL */
/* Room for the path of nearly all, and for what /proc/PID/cgroup shows, which ends at PATH_MAX. */
#define SHORT_PATH 1024
#define LONG_PATH (4096 + NAME_ROOM)
/* A smaller ring, which is one of 4 KiB, holds no record of a long path, even when it is empty. */
#define RING_FOR_LONG_PATH 8192

enum told { TOLD, PATH_TOO_LONG, PATH_NO_ROOM };

/*
 * Sends the names from the cgroup up, at most `room` bytes of them. Where they need more it tells
 * that, if this is the `last` try.
 */
static __always_inline enum told send_path(__u64 id, struct kernfs_node *node, const __u32 room,
					   const int last)
{
	struct wide_cgroup *record;
	enum told told = PATH_TOO_LONG;
	__u64 len = 0;
	char *names;

	record = bpf_ringbuf_reserve(&events, sizeof(*record) + room, 0);
	if (!record)
		return PATH_NO_ROOM;
	names = (char *)(record + 1);
	record->whole = 0;
	for (int i = 0; i <= MAX_CGROUP_DEPTH; i++) {
		struct kernfs_node *parent = kernfs_parent(node);
		long name;

		/* The hierarchy's root has no parent, the namespace's has one. */
		if (cgroup_root ? BPF_CORE_READ(node, id) == cgroup_root : !parent) {
			record->whole = 1;
			told = TOLD;
			break;
		}
		if (!parent) { /* outside of the namespace */
			told = TOLD;
			break;
		}
		/* What is compared is what is added: the verifier of 5.10 knows no copies. */
		barrier_var(len);
		if (len > room - NAME_ROOM)
			break;
		name = bpf_probe_read_kernel_str(names + len, NAME_ROOM, BPF_CORE_READ(node, name));
		if (name <= 0)
			break;
		len += name;
		node = parent;
	}
	if (told != TOLD && !last) {
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return PATH_TOO_LONG;
	}
	record->header.kind = WIDE_CGROUP;
	record->header.flags = 0;
	record->id = id;
	record->names_len = len;
	/* No wakeup: the event follows. */
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return TOLD;
}

/*
 * Sends the path of a cgroup, whose kernfs node lies at that address. False where the ring has no
 * room. As look_for_place() a function that the verifier looks at once: inlined, its loops were
 * looked at on each way that leads to them, which made four fifths of wide_exit's instructions.
 */
__noinline int send_cgroup(__u64 id, __u64 node)
{
	const int long_fits = wakeup_bytes * 4 >= RING_FOR_LONG_PATH;
	__u32 epoch = cgroup_epoch;
	enum told sent;

	sent = send_path(id, (void *)node, SHORT_PATH, !long_fits);
	if (long_fits && sent == PATH_TOO_LONG)
		sent = send_path(id, (void *)node, LONG_PATH, 1);
	if (sent != TOLD)
		return 0;
	bpf_map_update_elem(&cgroups_told, &id, &epoch, BPF_ANY);
	return 1;
}

/*
 * Sees to it that the path of a task's cgroup lies on the ring before the event that is to be
 * reserved next. False where the ring has no room: then the event is lost, which is counted, rather
 * than sent without its path.
 */
static __always_inline int tell_cgroup(struct task_struct *task, __u64 id)
{
	__u32 *told;

	if (!name_cgroups || !id)
		return 1;
	told = bpf_map_lookup_elem(&cgroups_told, &id);
	if (told && *told == cgroup_epoch)
		return 1;
	return send_cgroup(id, (__u64)BPF_CORE_READ(task, cgroups, dfl_cgrp, kn));
}

#endif
