/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * --unit, --container: the names of a cgroup and of those above it tell what it belongs to. They
 * are looked at once for each cgroup, before the first event in it, so that one that begins later
 * is caught, too. src/host/unit.rs and src/host/container.rs say by which rules.
 */
#ifndef TUXSCOPE_PLACE_BPF_H
#define TUXSCOPE_PLACE_BPF_H

/* What a cgroup of some name is. */
enum place {
	PLACE_UNIT = 1,
	PLACE_CONTAINER = 2,
	PLACE_MACHINE = 4, /* its cgroup "payload" is the container */
	PLACE_BARE_ID = 8, /* a container, where the cgroup above is a pod or Docker's */
	PLACE_LONG_UNIT = 16, /* a unit, where the rest of the name is a PLACE_REST */
	PLACE_REST = 32,
	PLACE_BARE_MACHINE = 64, /* a machine, where the cgroup above is machine.slice */
};

/* What is asked for: PLACE_UNIT, PLACE_CONTAINER or both. */
const volatile __u32 wanted_place = 0;

/* A name, or what it begins with: then `bits` leaves its NUL out. Longer names are looked up in two
 * parts. */
#define NAME_PART 128

struct place_name {
	__u32 bits;
	char name[NAME_PART];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct place_name);
	__type(value, enum place);
} place_names SEC(".maps");

/*
 * What is looked up: the stack has no room to spare for it. Each program has its own, since it
 * isn't begun on a CPU where it is under way, but may be where it has preempted another one.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PROC_EXEC_FAILED + 4); /* of the last kind there are four */
	__type(key, __u32);
	__type(value, struct place_name);
} place_looked_up SEC(".maps");

/* By the cgroup's id: what of it is there. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1); /* user space sets it */
	__type(key, __u64);
	__type(value, __u8);
} places SEC(".maps");

/*
 * 0, but not const, so that the verifier doesn't know: what is known to be 0 on one way and unknown
 * on the other makes two states, each of which it would follow through all rounds that are left.
 */
volatile __u32 unknown_zero = 0;

/*
 * The tests below have no branches, so that the verifier need not follow each of them in each
 * round: with branches it takes more than a million steps, and gives up.
 */
static __always_inline __u32 differ(__u64 a, __u64 b)
{
	__u64 bits = a ^ b;

	bits |= -bits;
	barrier_var(bits);
	return bits >> 63;
}

/* Up to 8 bytes of a text as a number. */
static __always_inline __u64 word(const char *text, const __u32 len)
{
	__u64 word = 0;

	__builtin_memcpy(&word, text, len);
	return word;
}

static __always_inline __u32 starts(__u64 first, const char *with, const __u32 len)
{
	return !differ(first & word("\xff\xff\xff\xff\xff\xff\xff\xff", len), word(with, len));
}

/* The number of a text that is moved so many bytes towards its beginning or its end. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define earlier(word, bytes) ((word) << 8 * (bytes))
#define later(word, bytes) ((word) >> 8 * (bytes))
#else
#define earlier(word, bytes) ((word) >> 8 * (bytes))
#define later(word, bytes) ((word) << 8 * (bytes))
#endif

#define begins(first, with) starts(first, with, sizeof(with) - 1)
#define ends(last, with) !differ(earlier(last, 9 - sizeof(with)), word(with, sizeof(with) - 1))

/*
 * A unit lies below slices, and a user's besides below the user's manager (or session); what lies
 * deeper is the unit's own. Not inlined, so that its frame is there for a moment only, and not
 * static, so that the verifier looks at it once, not for each way that leads to it.
 */
__noinline __u32 look_for_place(__u64 address, __u32 program)
{
	struct kernfs_node *node = (void *)address;
	__u32 unit = unknown_zero, below_manager = unknown_zero, container = unknown_zero;
	__u32 in_payload = unknown_zero, bare = unknown_zero, bare_machine = unknown_zero;
	struct place_name *own;

	/* So the verifier need not look at the rest, which isn't asked for. */
	if (!wanted_place)
		return 0;
	own = bpf_map_lookup_elem(&place_looked_up, &program);
	if (!own)
		return 0;
	own->bits = 8 * NAME_PART;
	for (int i = 0; i <= MAX_CGROUP_DEPTH; i++) {
		struct kernfs_node *parent = kernfs_parent(node);
		const char *name = BPF_CORE_READ(node, name);
		__u32 place = unknown_zero, rest = unknown_zero, named, manager;
		__u64 first, last = 0;
		enum place *found;
		long len, beyond;

		if (cgroup_root ? BPF_CORE_READ(node, id) == cgroup_root : !parent)
			return unit * PLACE_UNIT | container * PLACE_CONTAINER;
		if (!parent) /* outside of the namespace: nobody knows what it is called there */
			return 0;
		len = bpf_probe_read_kernel_str(own->name, sizeof(own->name), name);
		if (len <= 1)
			return 0;
		first = word(own->name, sizeof(first));
		found = bpf_map_lookup_elem(&place_names, own);
		if (found)
			place = *found;
		if (len == NAME_PART) {
			len = bpf_probe_read_kernel_str(own->name, sizeof(own->name),
							name + NAME_PART - 1);
			if (len <= 0)
				return 0;
			len += NAME_PART - 1;
			found = bpf_map_lookup_elem(&place_names, own);
			if (found)
				rest = *found;
		}
		len--; /* without the NUL */
		/* From the name's end or, where it is shorter than that, from its beginning. */
		beyond = (len - 8) >> 63;
		barrier_var(beyond);
		bpf_probe_read_kernel(&last, sizeof(last), name + ((len - 8) & ~beyond));
		last = later(last, (8 - len) & beyond);

		named = (place / PLACE_UNIT | (place / PLACE_LONG_UNIT & rest / PLACE_REST)) & 1;
		manager =
		    (begins(first, "user@") | begins(first, "capsule@")) & ends(last, ".service");
		manager |= begins(first, "session-") & ends(last, ".scope");
		unit &= ends(last, ".slice") | (manager & ~below_manager);
		unit |= named;
		below_manager = (below_manager | manager) & ~named;

		container |= place / PLACE_CONTAINER & 1;
		container |= place / PLACE_MACHINE & in_payload;
		container |= bare & (begins(first, "pod") | begins(first, "docker\0"));
		container |= bare_machine & begins(first, "machine.") & ends(last, ".slice");
		bare_machine = place / PLACE_BARE_MACHINE & in_payload;
		in_payload = begins(first, "payload\0");
		bare = place / PLACE_BARE_ID & 1;
		node = parent;
	}
	return 0; /* so deep that its path isn't told either */
}

static __always_inline int in_wanted_place(struct task_struct *task,
					   const enum proc_event_type type, __u32 nth)
{
	__u8 *known, place;
	__u64 id;

	if (!wanted_place)
		return 1;
	id = cgroup_id(task, type);
	known = bpf_map_lookup_elem(&places, &id);
	if (known) {
		place = *known;
	} else {
		place =
		    look_for_place((__u64)BPF_CORE_READ(task, cgroups, dfl_cgrp, kn), type + nth);
		bpf_map_update_elem(&places, &id, &place, BPF_ANY);
	}
	return (place & wanted_place) == wanted_place;
}

#endif
