/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Processes that die of a signal, and who sent it: `worker deaths`. A line each: the code that
 * sigaction(2) tells of such a signal, and the sender, or null where nobody sent it or nobody can
 * know.
 */
#ifndef DEATHS_H
#define DEATHS_H

#define NOBODY 0

static void died(const char *name, pid_t pid, const char *code, pid_t by)
{
	char quoted[32] = "null", sender[16] = "null";
	int status = wait_for(pid);

	if (code)
		snprintf(quoted, sizeof(quoted), "\"%s\"", code);
	if (by)
		snprintf(sender, sizeof(sender), "%d", by);
	truth("{\"death\":\"%s\",\"pid\":%d,\"signal\":%d,\"code\":%s,\"by\":%s}\n", name, pid,
	      WIFSIGNALED(status) ? WTERMSIG(status) : 0, quoted, sender);
}

/* A child that lives until it is killed, or its parent dies. */
static pid_t victim(void)
{
	pid_t pid = fork_();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

/* A child that has blocked these and says so by stopping. */
static pid_t blocking(int first, int second)
{
	pid_t pid = fork_();
	sigset_t set;
	int status;

	if (!pid) {
		sigemptyset(&set);
		sigaddset(&set, first);
		sigaddset(&set, second);
		sigprocmask(SIG_BLOCK, &set, NULL);
		raise(SIGSTOP);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		_exit(1);
	}
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		die("stopped");
	return pid;
}

static void sent_by_others(void)
{
	union sigval value = { .sival_int = 1 };
	pid_t pid, other;
	int fd;

	pid = victim();
	kill(pid, SIGKILL);
	died("kill", pid, "SI_USER", getpid());

	pid = victim();
	syscall(SYS_tgkill, pid, pid, SIGTERM);
	died("tgkill", pid, "SI_TKILL", getpid());

	pid = fork_();
	if (!pid) {
		setpgid(0, 0);
		raise(SIGSTOP);
		for (;;)
			pause();
	}
	waitpid(pid, NULL, WUNTRACED);
	killpg(pid, SIGHUP);
	kill(pid, SIGCONT);
	died("killpg", pid, "SI_USER", getpid());

	pid = victim();
	sigqueue(pid, SIGUSR1, value);
	died("sigqueue", pid, "SI_QUEUE", getpid());

	pid = victim();
	fd = syscall(SYS_pidfd_open, pid, 0);
	syscall(SYS_pidfd_send_signal, fd, SIGINT, NULL, 0);
	close(fd);
	died("pidfd", pid, "SI_USER", getpid());

	pid = victim();
	other = fork_();
	if (!other) {
		prctl(PR_SET_NAME, "hit \"man\"");
		kill(pid, SIGKILL);
		_exit(0);
	}
	wait_for(other);
	died("hired", pid, "SI_USER", other);

	pid = blocking(SIGTERM, SIGTERM);
	kill(pid, SIGTERM);
	kill(pid, SIGCONT);
	died("blocked", pid, "SI_USER", getpid());

	/* The one that was sent first isn't the one that it dies of. */
	pid = blocking(SIGTERM, SIGUSR2);
	other = fork_();
	if (!other) {
		kill(pid, SIGTERM);
		kill(pid, SIGKILL);
		_exit(0);
	}
	wait_for(other);
	died("blocked-then-killed", pid, "SI_USER", other);

	pid = fork_();
	if (!pid) {
		signal(SIGTERM, SIG_IGN);
		raise(SIGSTOP);
		for (;;)
			pause();
	}
	waitpid(pid, NULL, WUNTRACED);
	other = fork_();
	if (!other) {
		kill(pid, SIGTERM);
		_exit(0);
	}
	wait_for(other);
	kill(pid, SIGKILL);
	died("term-then-kill", pid, "SI_USER", getpid());

	/* Which of two it dies of can't be seen. */
	pid = blocking(SIGRTMIN + 1, SIGRTMIN + 1);
	other = fork_();
	if (!other) {
		kill(pid, SIGRTMIN + 1);
		_exit(0);
	}
	wait_for(other);
	kill(pid, SIGRTMIN + 1);
	kill(pid, SIGCONT);
	died("two-real-time", pid, NULL, NOBODY);

	pid = blocking(SIGRTMIN + 2, SIGRTMIN + 2);
	kill(pid, SIGRTMIN + 2);
	kill(pid, SIGCONT);
	died("one-real-time", pid, "SI_USER", getpid());
}

static void no_cores(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
}

static void by_itself(void)
{
	char path[] = "/tmp/worker-deaths-XXXXXX";
	int fd = mkstemp(path), ends[2];
	volatile char *memory;
	pid_t pid;

	unlink(path);
	pid = fork_();
	if (!pid) {
		no_cores();
		abort();
	}
	died("abort", pid, "SI_TKILL", pid);

	pid = fork_();
	if (!pid) {
		no_cores();
		*(volatile char *)8 = 1;
	}
	died("unmapped", pid, "SEGV_MAPERR", NOBODY);

	pid = fork_();
	if (!pid) {
		no_cores();
		memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		*memory = 1;
	}
	died("read-only", pid, "SEGV_ACCERR", NOBODY);

	/* A fault isn't stopped by a handler that is to ignore it. */
	pid = fork_();
	if (!pid) {
		no_cores();
		signal(SIGSEGV, SIG_IGN);
		*(volatile char *)8 = 1;
	}
	died("unmapped-ignored", pid, "SEGV_MAPERR", NOBODY);

	pid = fork_();
	if (!pid) {
		no_cores();
		memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		*memory = 1;
	}
	died("beyond-the-file", pid, "BUS_ADRERR", NOBODY);

	pid = fork_();
	if (!pid) {
		if (pipe(ends))
			_exit(1);
		close(ends[0]);
		_exit(write(ends[1], "x", 1));
	}
	died("pipe", pid, "SI_USER", NOBODY);

	pid = fork_();
	if (!pid) {
		struct rlimit limit = { 1, 1 };

		no_cores();
		setrlimit(RLIMIT_FSIZE, &limit);
		_exit(write(fd, "xy", 2) + write(fd, "xy", 2));
	}
	died("file-size", pid, "SI_USER", NOBODY);
	close(fd);
}

/* Under PR_SET_PDEATHSIG the kernel says that the parent sent it, as it does to a handler. */
static void of_its_parents_end(void)
{
	volatile pid_t *child =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t parent;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	parent = fork_();
	if (!parent) {
		pid_t pid = fork_();

		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGUSR1);
			*child = getpid();
			for (;;)
				pause();
		}
		while (!*child)
			usleep(1000);
		_exit(0);
	}
	wait_for(parent);
	died("parent-death", *child, "SI_USER", parent);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void by_the_kernel(void)
{
	struct sock_filter kill_all[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS) };
	struct sock_fprog filter = { 1, kill_all };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGVTALRM };
	struct itimerspec soon = { .it_value.tv_nsec = 20 * 1000 * 1000 };
	int terminal;
	timer_t timer;
	pid_t pid;

	pid = fork_();
	if (!pid) {
		ualarm(20 * 1000, 0);
		for (;;)
			pause();
	}
	died("alarm", pid, "SI_KERNEL", NOBODY);

	pid = fork_();
	if (!pid) {
		timer_create(CLOCK_MONOTONIC, &event, &timer);
		timer_settime(timer, 0, &soon, NULL);
		for (;;)
			pause();
	}
	died("timer", pid, "SI_TIMER", NOBODY);

	pid = fork_();
	if (!pid) {
		struct rlimit limit = { 0, 1 };

		no_cores();
		setrlimit(RLIMIT_CPU, &limit);
		for (;;)
			;
	}
	died("cpu-limit", pid, "SI_KERNEL", NOBODY);

	terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal >= 0 && !grantpt(terminal) && !unlockpt(terminal)) {
		const char *name = ptsname(terminal);

		pid = fork_();
		if (!pid) {
			setsid();
			if (open(name, O_RDWR) < 0) /* becomes the controlling terminal */
				_exit(1);
			raise(SIGSTOP);
			for (;;)
				pause();
		}
		waitpid(pid, NULL, WUNTRACED);
		kill(pid, SIGCONT);
		if (write(terminal, "\x03", 1) != 1)
			die("the terminal");
		died("ctrl-c", pid, "SI_KERNEL", NOBODY);
		close(terminal);
	}

	pid = fork_();
	if (!pid) {
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
		syscall(SYS_getppid);
	}
	died("seccomp-strict", pid, NULL, NOBODY);

	/* Before 5.16 the kernel ended it without generating the signal. */
	pid = fork_();
	if (!pid) {
		no_cores();
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
		syscall(SYS_getppid);
	}
	died("seccomp", pid, "SYS_SECCOMP", NOBODY);
}

/* The init of a PID namespace takes all that live there with it. */
static void of_its_namespaces_end(void)
{
	enum { EMPTY, LIVES, TO_END };
	volatile int *state =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t maker = fork_(), init;
	char path[64];
	FILE *children;
	int pid = 0;

	if (maker) {
		if (wait_for(maker))
			die("a PID namespace");
		return;
	}
	if (unshare(CLONE_NEWPID))
		die("unshare");
	init = fork_();
	if (!init) {
		if (!fork_()) {
			*state = LIVES;
			for (;;)
				pause();
		}
		while (*state != TO_END)
			usleep(1000);
		_exit(0);
	}
	while (*state != LIVES)
		usleep(1000);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", init, init);
	children = fopen(path, "r");
	if (!children || fscanf(children, "%d", &pid) != 1)
		die(path);
	*state = TO_END;
	wait_for(init);
	truth("{\"death\":\"namespace\",\"pid\":%d,\"signal\":%d,\"code\":\"SI_KERNEL\","
	      "\"by\":null}\n",
	      pid, SIGKILL);
	_exit(0);
}

/* A tracer has its tracee die of another signal than the one that it stopped at. */
static void by_a_tracer(void)
{
	pid_t pid = fork_();
	int status;

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGUSR1);
		_exit(1);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		die("the tracee");
	ptrace(PTRACE_CONT, pid, 0, SIGTERM);
	died("tracer", pid, "SI_USER", getpid());
}

static int deaths(void)
{
	/* A shell that runs this in the background has it ignore these. */
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	sent_by_others();
	by_itself();
	of_its_parents_end();
	by_the_kernel();
	of_its_namespaces_end();
	by_a_tracer();
	return 0;
}

#endif
