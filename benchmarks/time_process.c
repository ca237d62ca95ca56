/* Runs a command and prints what it took, as one line of JSON: time_process COMMAND [ARGUMENT...].
 * Wall-clock time from before the process is made until it has ended; processor time; peak memory.
 * Small itself, because a process's peak counts what it was before it became the command. */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char** environ;

static double milliseconds(struct timeval time) {
  return (double)time.tv_sec * 1e3 + (double)time.tv_usec * 1e-3;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: %s COMMAND [ARGUMENT...]\n", argv[0]);
    return 2;
  }
  pid_t pid;
  int status;
  struct rusage usage;
  const double start = now();
  if (posix_spawn(&pid, argv[1], NULL, NULL, argv + 1, environ) != 0 ||
      wait4(pid, &status, 0, &usage) != pid) {
    perror(argv[1]);
    return 1;
  }
  const double wall = now() - start;
  printf("{\"wall_ms\": %.4f, \"cpu_ms\": %.4f, \"peak_kib\": %ld}\n", wall,
         milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime), usage.ru_maxrss);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
