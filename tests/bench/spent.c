/*
 * spent: runs a command once and says what it took.
 *
 * Usage: spent INPUT COMMAND [WORD ...]. INPUT becomes the command's standard input; its output is thrown
 * away. Prints one JSON object: wall and CPU time in milliseconds, the peak of its resident memory in kB, and
 * its exit code.
 *
 * A program of its own, because the kernel counts the memory of who forks into the peak of what it forks: a
 * large parent would hide what the command needs.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static double ms(struct timeval tv)
{
    return (double)tv.tv_sec * 1e3 + (double)tv.tv_usec / 1e3;
}

static void become(const char *input, char **command)
{
    int in = open(input, O_RDONLY), out = open("/dev/null", O_WRONLY);
    if (in >= 0 && out >= 0 && dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0)
        execvp(command[0], command);
    perror(command[0]);
    _exit(EX_OSERR);
}

int main(int argc, char **argv)
{
    struct rusage used;
    int status;
    if (argc < 3)
        return EX_USAGE;
    double start = now_ms();
    pid_t pid = fork();
    if (pid == 0)
        become(argv[1], argv + 2);
    if (pid < 0 || wait4(pid, &status, 0, &used) != pid)
        return EX_OSERR;
    printf("{\"ms\": %.3f, \"cpu_ms\": %.3f, \"peak_kb\": %ld, \"code\": %d}\n", now_ms() - start,
           ms(used.ru_utime) + ms(used.ru_stime), used.ru_maxrss,
           WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return 0;
}
