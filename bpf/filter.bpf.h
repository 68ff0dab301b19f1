/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which events are kept. */
#ifndef TUXSCOPE_FILTER_BPF_H
#define TUXSCOPE_FILTER_BPF_H

/*
 * Set by user space when all three handlers are attached, cleared before any is detached: a
 * capture begins and ends for all kinds of events at one instant. Attaching takes milliseconds a
 * handler, and a process that lived in between would be seen in parts.
 */
volatile __u32 tracing = 0;

/* Read-only data: when it is 0 the verifier removes the look-up from the loaded program. */
const volatile __u8 filter_pids = 0;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* user space sets it to the number of pids */
	__type(key, __u32);
	__type(value, __u8);
} pids SEC(".maps");

static __always_inline int wanted(__u32 pid)
{
	if (!tracing)
		return 0;
	return !filter_pids || bpf_map_lookup_elem(&pids, &pid);
}

#endif
