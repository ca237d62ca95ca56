// Hooks of the oracle's own, to be preloaded: they note which instruction announces which function,
// and how often. The compiler inlines hooks together with their functions, so the instruction that
// calls a hook need not lie in the function that it announces. (Mostly it announces the same one;
// but where GCC merges the ends of two branches, it may merge the calls of two hooks.)
//
// At the end, the file that ORACLE_SITES names has a line for each pair:
//     module, return address of the hook's call in it, module, address of the function in it, count
// with tabs in between. A program with more pairs than the table holds ends with an error.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define HOOK __attribute__((visibility("default")))

enum { kCapacity = 1 << 16 };

static struct {
  void* site;
  void* function;
  unsigned long count;
} pairs[kCapacity];
static unsigned pair_count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void Note(void* site, void* function) {
  unsigned slot = (unsigned)(((uintptr_t)site * 0x9e3779b97f4a7c15u ^ (uintptr_t)function) >> 32);
  for (slot %= kCapacity; pairs[slot].site != NULL; slot = (slot + 1) % kCapacity) {
    if (pairs[slot].site == site && pairs[slot].function == function) break;
  }
  if (pairs[slot].site == NULL && ++pair_count == kCapacity) abort();
  pairs[slot].site = site;
  pairs[slot].function = function;
  ++pairs[slot].count;
}

HOOK void __cyg_profile_func_enter(void* function, void* caller) {
  (void)caller;
  pthread_mutex_lock(&mutex);
  Note(__builtin_return_address(0), function);
  pthread_mutex_unlock(&mutex);
}

HOOK void __cyg_profile_func_exit(void* function, void* caller) {
  (void)function;
  (void)caller;
}

static void PrintPlace(FILE* file, void* address) {
  Dl_info info;
  if (dladdr(address, &info) == 0) abort();
  fprintf(file, "%s\t%#lx\t", info.dli_fname, (long)((char*)address - (char*)info.dli_fbase));
}

__attribute__((destructor)) static void WriteSites(void) {
  FILE* file = fopen(getenv("ORACLE_SITES"), "w");
  if (file == NULL) abort();
  for (unsigned slot = 0; slot < kCapacity; ++slot) {
    if (pairs[slot].site == NULL) continue;
    PrintPlace(file, pairs[slot].site);
    PrintPlace(file, pairs[slot].function);
    fprintf(file, "%lu\n", pairs[slot].count);
  }
  if (fclose(file) != 0) abort();
}
