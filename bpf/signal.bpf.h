/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who sent the signal that a process died of. It is noted when the signal is generated, in the
 * sender; the exit asks for the note about the signal that its status names. What isn't known then
 * is not told: who happened to run when a timer or the OOM killer struck is nobody's killer.
 */
#ifndef TUXSCOPE_SIGNAL_BPF_H
#define TUXSCOPE_SIGNAL_BPF_H

/* include/uapi/asm-generic/signal.h. Alpha, MIPS, PA-RISC and SPARC have other numbers. */
#define SIGNALS 64 /* _NSIG */
#define SIGKILL 9
#define SIGRTMIN 32
#define BIT(signal) (1ULL << ((signal)-1))

/* CHLD, CONT, STOP, TSTP, TTIN, TTOU, URG, WINCH: by default, nobody dies of these. */
#define HARMLESS (BIT(17) | BIT(18) | BIT(19) | BIT(20) | BIT(21) | BIT(22) | BIT(23) | BIT(28))

/* include/trace/events/signal.h */
#define TRACE_SIGNAL_DELIVERED 0
#define TRACE_SIGNAL_LOSE_INFO 4

/* include/linux/sched/signal.h: what the kernel hands over in place of a siginfo. */
#define SEND_SIG_NOINFO 0
#define SEND_SIG_PRIV 1

/* include/uapi/asm-generic/siginfo.h; the names in user space: src/model/signal.rs */
#define SI_USER 0
#define SI_KERNEL 0x80
#define SI_QUEUE -1
#define SI_TKILL -6

/*
 * What is noted of one process, under its siglock: its latest signals that could be fatal. Most
 * have none or one at all; who blocks several, to read them from a signalfd, say, has one of each.
 * If there is no room, the oldest goes.
 */
#define NOTES 4

struct note {
	__u32 signal; /* 0: none */
	__u32 fatal; /* the kernel has begun to end the process by it */
	struct wide_killer killer;
};

struct notes {
	__u64 start_ns;
	__u64 next;
	struct note note[NOTES];
};

/*
 * By TGID. An LRU map would forget those of a massacre while they die; from this one each exit
 * takes its own. A process for which there is no room dies of a sender that isn't known.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct notes);
} senders SEC(".maps");

/* Where the notes of a process begin; too large for the stack. */
const struct notes no_notes = {};

/* Whether it does by default what the task did not ask to be done otherwise: end it. */
static __always_inline int has_no_handler(struct task_struct *task, __u32 signal)
{
	/* Not by an index: only the kernel knows how large its actions are. */
	void *action = (void *)BPF_CORE_READ(task, sighand) +
		       bpf_core_field_offset(struct sighand_struct, action) +
		       (signal - 1) * bpf_core_type_size(struct k_sigaction);

	return !BPF_CORE_READ((struct k_sigaction *)action, sa.sa_handler);
}

/* Whether the task may die of it, now or once it stops blocking it. */
static __always_inline int may_kill(struct task_struct *task, __u32 signal)
{
	if (signal < 1 || signal > SIGNALS || (HARMLESS & BIT(signal)))
		return 0;
	return signal == SIGKILL || has_no_handler(task, signal) ||
	       ((BPF_CORE_READ(task, blocked.sig[0]) | BPF_CORE_READ(task, real_blocked.sig[0])) &
		BIT(signal));
}

/* The room for a signal among the notes of a process, where none is older than the process. */
static __always_inline struct note *note_of(__u32 tgid, __u64 start_ns, __u32 signal)
{
	struct notes *notes = bpf_map_lookup_elem(&senders, &tgid);

	if (!notes || notes->start_ns != start_ns) {
		bpf_map_update_elem(&senders, &tgid, &no_notes, BPF_ANY);
		notes = bpf_map_lookup_elem(&senders, &tgid);
		if (!notes)
			return NULL;
		notes->start_ns = start_ns;
	}
	for (int i = 0; i < NOTES; i++)
		if (notes->note[i].signal == signal)
			return &notes->note[i];
	for (int i = 0; i < NOTES; i++)
		if (!notes->note[i].signal)
			return &notes->note[i];
	return &notes->note[notes->next++ % NOTES];
}

static __always_inline void name_killer(struct wide_killer *killer, struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	killer->pid = BPF_CORE_READ(task, tgid);
	bpf_probe_read_kernel(killer->comm, COMM_LEN, &leader->comm);
	killer->flags |= KILLER_NAMED;
}

/*
 * With these codes whoever runs is the sender. Without a siginfo the kernel says SI_USER: of
 * cgroup.kill, whose writer runs; of PR_SET_PDEATHSIG, where the parent that ends does; but of
 * SIGPIPE and SIGXFSZ, too, where it is the process itself that writes, and sends nothing.
 */
static __always_inline int is_sent(__u64 info, __s32 code, __u32 tgid)
{
	if (info == SEND_SIG_NOINFO)
		return bpf_get_current_pid_tgid() >> 32 != tgid;
	return code == SI_USER || code == SI_QUEUE || code == SI_TKILL;
}

static __noinline int note_signal(unsigned long long *ctx, struct task_struct *task)
{
	__u32 number = ctx[0];
	struct signal_struct *signal;
	struct wide_killer *killer;
	__u64 info = 0;
	struct note *note;
	__u32 result = ctx[4];
	int again;

	if (!tracing || (result != TRACE_SIGNAL_DELIVERED && result != TRACE_SIGNAL_LOSE_INFO) ||
	    !may_kill(task, number))
		return 0;
	note = note_of(task->tgid, task->group_leader->start_time, number);
	if (!note || (note->signal == number && note->fatal))
		return 0;
	signal = task->signal;
	again = note->signal == number;
	note->signal = number;
	note->fatal =
	    (signal->flags & SIGNAL_GROUP_EXIT) && (signal->group_exit_code & 0x7f) == number;
	killer = &note->killer;
	__builtin_memset(killer, 0, sizeof(*killer));
	/* Not ctx[1]: the verifier takes that for a siginfo, and the branches below for dead. */
	bpf_probe_read_kernel(&info, sizeof(info), &ctx[1]);
	/* Several of a real-time signal queue up, and which of them it dies of isn't told. */
	if (again && number >= SIGRTMIN)
		return 0;
	if (info == SEND_SIG_NOINFO)
		killer->code = SI_USER;
	else if (info == SEND_SIG_PRIV)
		killer->code = SI_KERNEL;
	else
		killer->code = BPF_CORE_READ((struct kernel_siginfo *)info, si_code);
	killer->flags = KILLER_KNOWN;
	if (is_sent(info, killer->code, task->tgid)) {
		killer->uid = bpf_get_current_uid_gid();
		name_killer(killer, (void *)bpf_get_current_task());
	}
	return 0;
}

HANDLER(wide_signal, "signal_generate", note_signal, 2)

/*
 * A tracer can have its tracee get another signal than the one that was generated, or one that
 * never was. The kernel then says SI_USER and the tracer's id, which is compared where it means
 * the same here and there: outside of PID namespaces.
 */
SEC("tp_btf/signal_deliver")
int wide_deliver(unsigned long long *ctx)
{
	__u32 number = ctx[0];
	struct kernel_siginfo *info = (void *)ctx[1];
	struct k_sigaction *action = (void *)ctx[2];
	/* The typed one came with 5.11. */
	struct task_struct *task = (void *)bpf_get_current_task(), *tracer;
	struct note *note;

	if (!tracing || number < 1 || number > SIGNALS || (HARMLESS & BIT(number)))
		return 0;
	if (!BPF_CORE_READ(task, ptrace) || BPF_CORE_READ(action, sa.sa_handler))
		return 0;
	tracer = BPF_CORE_READ(task, parent);
	if (BPF_CORE_READ(info, si_code) != SI_USER ||
	    BPF_CORE_READ(info, _sifields._kill._pid) != BPF_CORE_READ(tracer, pid))
		return 0;
	note = note_of(BPF_CORE_READ(task, tgid), BPF_CORE_READ(task, group_leader, start_time),
		       number);
	if (!note || note->signal == number)
		return 0;
	__builtin_memset(note, 0, sizeof(*note));
	note->signal = number;
	note->killer.code = SI_USER;
	note->killer.flags = KILLER_KNOWN;
	note->killer.uid = BPF_CORE_READ(info, _sifields._kill._uid);
	name_killer(&note->killer, tracer);
	return 0;
}

/* At the end of a process: copies what is noted of the signal that it died of, if any. */
static __always_inline void killer_of(struct wide_killer *killer, __u32 tgid,
				      struct signal_struct *victim, __u64 start_ns, __u32 signal)
{
	struct notes *notes = bpf_map_lookup_elem(&senders, &tgid);

	__builtin_memset(killer, 0, sizeof(*killer));
	if (!notes)
		return;
	for (int i = 0; i < NOTES; i++)
		if (notes->start_ns == start_ns && notes->note[i].signal == signal)
			*killer = notes->note[i].killer;
	/* A victim's signal_struct keeps the memory for which it was chosen; 4.9 */
	if (signal == SIGKILL && killer->code == SI_KERNEL && BPF_CORE_READ(victim, oom_mm))
		killer->flags |= KILLER_OOM;
}

/* At the end of every process: room for others. */
static __always_inline void forget_signals(__u32 tgid)
{
	if (bpf_map_lookup_elem(&senders, &tgid)) /* takes no lock */
		bpf_map_delete_elem(&senders, &tgid);
}

#endif
