// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The wide mode: processes, with all that is known of them. It needs the task itself, which the
 * records of tp/ don't hand over, and reads it directly: tp_btf arguments are typed.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "proc.h"
#include "ring.bpf.h"
#include "filter.bpf.h"
#include "compat.bpf.h"
#include "cgroup.bpf.h"
#include "place.bpf.h"
#include "signal.bpf.h"
#include "cost.bpf.h"
#include "subject.bpf.h"
/* With --failed-execs alone. First, since it may be refused and all is loaded once more then. */
#include "fexec.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Keeps the records' types in the object's BTF, from which the skeleton takes them. */
const struct wide_fork wide_fork_layout = {};
const struct wide_exec wide_exec_layout = {};
const struct wide_exec_failed wide_exec_failed_layout = {};
const struct wide_exit wide_exit_layout = {};
const struct wide_killed wide_killed_layout = {};
const struct wide_cgroup wide_cgroup_layout = {};
const struct wide_cost wide_cost_layout = {};
const struct wide_task_cost wide_task_cost_layout = {};

/* Kernels without group_dead: the processes whose end has been told lately. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct task_key);
	__type(value, __u8);
} ended SEC(".maps");

static __noinline int tell_fork(unsigned long long *ctx, struct task_struct *child)
{
	struct task_struct *parent = (void *)ctx[0];
	struct subject subject = {};
	struct wide_fork *fork;
	int in_tree = 0;

	if (child->pid != child->tgid)
		subject.flags = WIDE_THREAD;
	else if (tracing || adopting)
		in_tree = follow_fork(parent->tgid, child->tgid);
	if (!tracing)
		return 0;
	if (subject.flags & WIDE_THREAD) {
		if (!show_threads)
			return 0;
		in_tree = wanted_tree(parent->tgid);
	}
	look_at(&subject, child);
	if (!wanted(&subject, PROC_FORK, in_tree, 0) || !wanted_childs_cgroup(child, parent))
		return 0;
	if (!prepare(&subject, PROC_FORK))
		return 0;
	fork = reserve(sizeof(*fork), &subject, PROC_FORK);
	if (!fork)
		return 0;
	fill(&fork->event, &subject, PROC_FORK);
	fork->parent_tid = parent->pid;
	fork->maker = parent->tgid;
	ring_submit(fork, fork->event.timestamp_ns);
	return 0;
}

HANDLER(wide_fork, "sched_process_fork", tell_fork, 1)

/* PATH_MAX of include/uapi/linux/limits.h, and what execveat(2) puts before a name: /dev/fd/N/ */
#define EXEC_NAME_ROOM 8192

/* A name, for a moment: how long it is decides how large a record has to be. */
struct exec_name {
	char bytes[EXEC_NAME_ROOM];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec_name);
} exec_names SEC(".maps");

/*
 * Reserves an exec's record with `bytes` each for name and arguments, unless the name is longer.
 * The ring gives only records whose size is a constant. Each is tested at once: the verifier
 * of 5.10 forgets that one isn't NULL.
 */
#define TRY_ROOM(bytes)                                                                            \
	do {                                                                                       \
		if (len > (bytes))                                                                 \
			break;                                                                     \
		room = bytes;                                                                      \
		exec = bpf_ringbuf_reserve(&events, sizeof(*exec) + 2 * (bytes), 0);               \
		if (exec)                                                                          \
			goto reserved;                                                             \
	} while (0)

static __noinline int tell_exec(unsigned long long *ctx, struct task_struct *task)
{
	struct linux_binprm *bprm = (void *)ctx[2];
	struct subject subject = {};
	struct wide_exec *exec;
	struct exec_name *name;
	struct mm_struct *mm;
	__u64 start, args, len, need;
	enum wide_flags cut = 0;
	__u32 room = 0, zero = 0;
	long copied;
	char *data;

	if (!tracing)
		return 0;
	look_at(&subject, task);
	subject.max_rss = task->signal->maxrss;
	mm = task->mm;
	if (!wanted(&subject, PROC_EXEC, wanted_tree(task->tgid), 0) ||
	    !prepare(&subject, PROC_EXEC))
		return 0;
	name = bpf_map_lookup_elem(&exec_names, &zero);
	if (!name) { /* never: an array has its element */
		count_lost(&subject, PROC_EXEC);
		return 0;
	}
	copied = bpf_probe_read_kernel_str(name, sizeof(*name), bprm->filename);
	len = copied < 0 ? 0 : copied;
	start = mm->arg_start;
	args = mm->arg_end - start;
	if (args > max_args) {
		args = max_args;
		cut = WIDE_ARGS_CUT;
	}

	need = args > len ? args : len;
	if (need <= 128)
		TRY_ROOM(128);
	else if (need <= 512)
		TRY_ROOM(512);
	else if (need <= 4096)
		TRY_ROOM(4096);
	else
		TRY_ROOM(65536);
	/* A ring that is small or nearly full: rather arguments cut than an exec lost. */
	if (room > 2048)
		TRY_ROOM(2048);
	if (room > 512)
		TRY_ROOM(512);
	if (room > 128)
		TRY_ROOM(128);
	count_lost(&subject, PROC_EXEC);
	return 0;

reserved:
	data = (char *)(exec + 1);
	fill(&exec->event, &subject, PROC_EXEC);
	exec->max_rss = subject.max_rss;
	/* Bounds that are plain to each verifier, in the registers that are used next: old ones
	 * forget those of what lay on the stack meanwhile. */
	barrier_var(len);
	if (len > room)
		len = room;
	bpf_probe_read_kernel(data, len, name);
	exec->filename_len = len;
	exec->args_len = 0;
	exec->caller_tid = ctx[1];
	exec->_padding = 0;
	barrier_var(len);
	if (len > room)
		len = room;
	barrier_var(args);
	if (args > room) {
		args = room;
		cut = WIDE_ARGS_CUT;
	}
	exec->event.header.flags |= cut;
	if (bpf_probe_read_user(data + len, args, (void *)start) == 0)
		exec->args_len = args;
	else
		exec->event.header.flags |= WIDE_ARGS_UNREAD;
	ring_submit(exec, exec->event.timestamp_ns);
	return 0;
}

HANDLER(wide_exec, "sched_process_exec", tell_exec, 0)

/* Whether this exit is the end of the process. */
static __always_inline int process_ends(unsigned long long *ctx, const struct subject *subject,
					struct signal_struct *signal)
{
	struct task_key key = {};
	__u8 one = 1;
	int error;

	if (tells_group_dead())
		return ctx[1] & 1;
	if (signal->live.counter != 0)
		return 0;
	key.tid = subject->task->tgid;
	key.start_ns = subject->leader->start_time;
	/* An int: before 6.4 (d7ba4cc900bf) the upper half of what is returned is undefined. */
	error = bpf_map_update_elem(&ended, &key, &one, BPF_NOEXIST);
	/* If the map has no room for it, an end told twice is better than one not told. */
	return error != -EEXIST;
}

static __noinline int tell_exit(unsigned long long *ctx, struct task_struct *task)
{
	struct signal_struct *signal;
	struct mm_struct *mm;
	struct subject subject = {};
	struct wide_killer killer = {};
	struct wide_killed *killed;
	struct wide_exit *exit;
	__u64 began_ns, max_rss = 0;
	__u32 status;
	int failed = 0;

	if (!tracing)
		return 0;
	if (learn && learning != LEARN_OVER)
		learn_exit(task);
	look_at(&subject, task);
	signal = task->signal;
	mm = task->mm;
	if (process_ends(ctx, &subject, signal)) {
		/* The leader is on its way out, as all are. */
		status = wait_status(signal->flags, signal->group_exit_code, PF_EXITING,
				     subject.leader->exit_code);
		began_ns = subject.leader->start_time;
		failed = status != 0;
		if (status & 0x7f)
			killer_of(&killer, task->tgid, signal, began_ns, status & 0x7f);
		max_rss = image_max_rss(mm);
	} else {
		/* Its beginning was not told either. It may be the process' last, as above. */
		if (made_by_kernel(task->flags))
			return 0;
		subject.flags = WIDE_THREAD;
		status = task->exit_code;
		began_ns = task->start_time;
	}
	if ((!(subject.flags & WIDE_THREAD) || show_threads) &&
	    wanted(&subject, PROC_EXIT, wanted_tree(task->tgid), failed) &&
	    prepare(&subject, PROC_EXIT)) {
		if (killer.flags) {
			killed = reserve(sizeof(*killed), &subject, PROC_EXIT);
			if (killed)
				killed->killer = killer;
			exit = &killed->exit;
		} else {
			exit = reserve(sizeof(*exit), &subject, PROC_EXIT);
		}
		if (exit) {
			fill(&exit->event, &subject, PROC_EXIT);
			if (killer.flags)
				exit->event.header.kind = WIDE_KILLED;
			exit->began_ns = began_ns;
			exit->start_boot_ns = subject.leader->start_boottime;
			exit->max_rss = max_rss;
			if (max_rss)
				exit->event.header.flags |= WIDE_RSS_KNOWN;
			exit->status = status;
			exit->_padding = 0;
			await_cost(subject.flags & WIDE_THREAD ? task->pid : task->tgid, began_ns);
			ring_submit(exit, exit->event.timestamp_ns);
		}
	}
	if (!(subject.flags & WIDE_THREAD)) {
		follow_exit(task->tgid);
		forget_signals(task->tgid);
	}
	return 0;
}

HANDLER(wide_exit, "sched_process_exit", tell_exit, 0)

/* In no particular task: a grace period's end is that of many. */
static __noinline int tell_free(unsigned long long *ctx, struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	__u64 start_ns = task->start_time;
	__u32 tid = task->pid;

	if (task->group_leader == task) {
		/* One that made room for a thread's exec has gone, its process has not. */
		if (signal->live.counter == 0 && cost_is_awaited(tid, start_ns))
			tell_cost(task, signal);
	} else if (show_threads && cost_is_awaited(tid, start_ns)) {
		tell_thread_cost(task);
	}
	return 0;
}

HANDLER(wide_free, "sched_process_free", tell_free, 0)
