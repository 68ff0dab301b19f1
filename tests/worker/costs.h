/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Processes that use much of one thing: `worker costs`, and what goes with it. */
#ifndef COSTS_H
#define COSTS_H

static void spin(long us)
{
	struct timespec now;

	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while (now.tv_sec * 1000000LL + now.tv_nsec / 1000 < us);
}

static void *spin_1ms(void *arg)
{
	spin(1000);
	return arg;
}

/* Memory that is really there. */
static char *touched(size_t size)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	madvise(memory, size, MADV_NOHUGEPAGE);
	memset(memory, 1, size);
	return memory;
}

static long peak_kb(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[128];
	long kb = 0;

	while (status && fgets(line, sizeof(line), status))
		sscanf(line, "VmHWM: %ld", &kb);
	return kb;
}

static int spend(long us, long mb, int fd)
{
	long kb;

	if (mb)
		touched(mb << 20);
	spin(us);
	kb = peak_kb();
	return write(fd, &kb, sizeof(kb)) != sizeof(kb);
}

#define FILE_SIZE (4 << 20)

static int file_in(const char *dir, int flags)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/worker-cost", dir);
	fd = open(path, flags | O_CREAT, 0600);
	if (fd < 0)
		die(path);
	return fd;
}

static void write_file(const char *dir)
{
	int fd = file_in(dir, O_WRONLY | O_TRUNC);
	char *data = touched(FILE_SIZE);

	if (write(fd, data, FILE_SIZE) != FILE_SIZE || fsync(fd))
		die("write");
}

/* Of what isn't in memory. */
static void read_file(const char *dir)
{
	int fd = file_in(dir, O_RDONLY);
	char *data = touched(FILE_SIZE);

	if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) || read(fd, data, FILE_SIZE) != FILE_SIZE)
		die("read");
}

/* A child with one thread: besides, how long it waited for a CPU and what it used in nanoseconds,
 * read when it is a zombie that no longer runs. */
static void saw_cost(const char *name, pid_t pid, int execs, const char *image)
{
	unsigned long long cpu = 0, wait = 0, runs, last;
	char path[64], more[256];
	FILE *schedstat;

	if (waitid(P_PID, pid, &(siginfo_t){}, WEXITED | WNOWAIT))
		die("waitid");
	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	do {
		last = cpu;
		usleep(2000);
		schedstat = fopen(path, "r");
		if (!schedstat || fscanf(schedstat, "%llu %llu %llu", &cpu, &wait, &runs) != 3)
			die(path);
		fclose(schedstat);
	} while (cpu != last);
	snprintf(more, sizeof(more), ",\"cpu_ns\":%llu,\"wait_ns\":%llu%s", cpu, wait, image);
	saw_more(name, pid, getpid(), execs, wait_for(pid), more);
}

static void cost_spin(const char *name, long us)
{
	pid_t pid = fork_();

	if (pid == 0) {
		spin(us);
		_exit(0);
	}
	saw_cost(name, pid, 0, "");
}

static void cost_threads(const char *name, int count)
{
	pid_t pid = fork_();

	if (pid == 0) {
		pthread_t threads[100];

		for (int i = 0; i < count; i++)
			pthread_create(&threads[i], NULL, spin_1ms, NULL);
		for (int i = 0; i < count; i++)
			pthread_join(threads[i], NULL);
		_exit(0);
	}
	saw(name, pid, getpid(), 0, wait_for(pid));
}

static void cost_memory(const char *name, int shrinks)
{
	pid_t pid = fork_();

	if (pid == 0) {
		char *memory = touched(64 << 20);

		if (shrinks)
			munmap(memory, 64 << 20);
		_exit(0);
	}
	saw_cost(name, pid, 0, "");
}

/* Its last program is told by itself: the kernel's figure is that of all programs. */
static void cost_exec(const char *name, long before_mb, long mb)
{
	char image[64], size[16], end[16];
	int fds[2];
	long kb;
	pid_t pid;

	if (pipe(fds))
		die("pipe");
	snprintf(size, sizeof(size), "%ld", mb);
	snprintf(end, sizeof(end), "%d", fds[1]);
	pid = fork_();
	if (pid == 0) {
		if (before_mb)
			touched(before_mb << 20);
		execl(self, "worker", "spend", "2000", size, end, NULL);
		_exit(98);
	}
	if (read(fds[0], &kb, sizeof(kb)) != sizeof(kb))
		die("read");
	close(fds[0]);
	close(fds[1]);
	snprintf(image, sizeof(image), ",\"image_kb\":%ld", kb);
	saw_cost(name, pid, 1, image);
}

static void cost_file(const char *name, const char *dir, void (*use)(const char *))
{
	pid_t pid = fork_();

	if (pid == 0) {
		use(dir);
		_exit(0);
	}
	saw_cost(name, pid, 0, "");
}

static int costs(const char *dir)
{
	cost_spin("100us", 100);
	cost_spin("1ms", 1000);
	cost_spin("10ms", 10 * 1000);
	cost_spin("100ms", 100 * 1000);
	cost_spin("1s", 1000 * 1000);
	cost_threads("1-thread", 1);
	cost_threads("4-threads", 4);
	cost_threads("100-threads", 100);
	cost_memory("grows", 0);
	cost_memory("shrinks", 1);
	cost_exec("small-after-large", 64, 0);
	cost_exec("large-after-small", 0, 64);
	cost_exec("larger-after-large", 32, 64);
	cost_file("writes", dir, write_file);
	cost_file("reads", dir, read_file);
	return 0;
}

static int zombie(void)
{
	pid_t pid = fork_();

	if (pid == 0) {
		spin(50 * 1000);
		_exit(7);
	}
	if (waitid(P_PID, pid, &(siginfo_t){}, WEXITED | WNOWAIT))
		die("waitid");
	truth("{\"pid\":%d}\n", pid);
	until_input_ends();
	wait_for(pid);
	truth("{\"pid\":%d,\"cpu_us\":%lld,\"minor_faults\":%ld}\n", pid, cpu_us(&used),
	      used.ru_minflt);
	return 0;
}

static int usage(void)
{
	getrusage(RUSAGE_SELF, &used);
	spin(cpu_us(&used) + 3000);
	getrusage(RUSAGE_SELF, &used);
	truth("{\"pid\":%d,\"cpu_us\":%lld,\"minor_faults\":%ld}\n", getpid(), cpu_us(&used),
	      used.ru_minflt);
	return 0;
}

static int unreaped(void)
{
	pid_t pid;

	signal(SIGCHLD, SIG_IGN);
	pid = fork_();
	if (pid == 0)
		_exit(usage());
	while (waitpid(pid, NULL, 0) != -1 || errno != ECHILD)
		;
	return 0;
}

#endif
