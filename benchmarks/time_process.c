/* Runs a command and prints what it took, as one line of JSON.
 *
 * usage: time_process [--memory] COMMAND [ARGUMENT...]
 *
 * Wall-clock time from before the process is made until it has ended; processor time; page faults;
 * peak memory. With --memory instead what memory it has when it ends, private and shared told
 * apart: it is stopped there, so times would mean nothing.
 *
 * Small itself, because a process's peak counts what it was before it became the command. */
#define _GNU_SOURCE
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

static double milliseconds(struct timeval time) {
  return (double)time.tv_sec * 1e3 + (double)time.tv_usec * 1e-3;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

static int ended_well(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 1; }

static int measure_time(char** command) {
  pid_t pid;
  int status;
  struct rusage usage;
  const double start = now();
  if (posix_spawn(&pid, command[0], NULL, NULL, command, environ) != 0 ||
      wait4(pid, &status, 0, &usage) != pid) {
    perror(command[0]);
    return 1;
  }
  const double wall = now() - start;
  printf("{\"wall_ms\": %.4f, \"cpu_ms\": %.4f, \"page_faults\": %ld, \"peak_kib\": %ld}\n", wall,
         milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime), usage.ru_minflt,
         usage.ru_maxrss);
  return ended_well(status);
}

/* KiB of pages of this kind, as /proc/PID/status has it. */
static long resident(pid_t pid, const char* kind) {
  char path[64];
  char line[256];
  long kib = 0;
  snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
  FILE* file = fopen(path, "r");
  while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
    if (strncmp(line, kind, strlen(kind)) == 0) sscanf(line + strlen(kind), ": %ld", &kib);
  }
  if (file != NULL) fclose(file);
  return kib;
}

static int measure_memory(char** command) {
  int status;
  const pid_t pid = fork();
  if (pid == 0) {
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    execv(command[0], command);
    _exit(127);
  }
  if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
      ptrace(PTRACE_SETOPTIONS, pid, NULL, (void*)PTRACE_O_TRACEEXIT) != 0) {
    perror("ptrace");
    return 1;
  }
  ptrace(PTRACE_CONT, pid, NULL, NULL);
  while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
    const int signal = WSTOPSIG(status);
    if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXIT << 8))) {
      printf("{\"private_kib\": %ld, \"shared_kib\": %ld}\n", resident(pid, "RssAnon"),
             resident(pid, "RssFile") + resident(pid, "RssShmem"));
    }
    /* SIGTRAP is this program's doing. */
    ptrace(PTRACE_CONT, pid, NULL, (void*)(long)(signal == SIGTRAP ? 0 : signal));
  }
  return ended_well(status);
}

int main(int argc, char** argv) {
  const int memory = argc > 1 && strcmp(argv[1], "--memory") == 0;
  if (argc < 2 + memory) {
    fprintf(stderr, "usage: %s [--memory] COMMAND [ARGUMENT...]\n", argv[0]);
    return 2;
  }
  return memory ? measure_memory(argv + 2) : measure_time(argv + 1);
}
