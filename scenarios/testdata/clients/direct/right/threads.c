/* Direct message client: the main thread reads commands with getline(), another one reads the server with fread().
 *
 *   gcc -O -pthread -o client threads.c && ./client HOST PORT
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int sock = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
static int due;                 /* answers that have not come yet */

static void quit(int status, const char *what, const char *why)
{
    fprintf(stdout, "%s%s%s\n", what, *why ? ": " : "", why);
    fflush(stdout);
    _exit(status);
}

/* Copies text so that a terminal cannot mistake it for commands: C0, DEL, C1 and broken UTF-8 become \xNN. */
static char *safe(const unsigned char *s, size_t len)
{
    char *copy = malloc(4 * len + 1), *p = copy;
    for (size_t i = 0; i < len;) {
        int n = s[i] < 0x80 ? 1 : s[i] < 0xc2 ? 0 : s[i] < 0xe0 ? 2 : s[i] < 0xf0 ? 3 : s[i] < 0xf5 ? 4 : 0;
        for (int k = 1; k < n; k++)
            if (i + k >= len || (s[i + k] & 0xc0) != 0x80)
                n = 0;
        if (n == 0 || (n == 1 && (s[i] < 32 || s[i] == 127)) || (n == 2 && s[i] == 0xc2 && s[i + 1] < 0xa0)) {
            p += sprintf(p, "\\x%02x", s[i++]);
            if (n == 2)
                p += sprintf(p, "\\x%02x", s[i++]);
        } else {
            memcpy(p, s + i, n);
            p += n, i += n;
        }
    }
    *p = 0;
    return copy;
}

static void take(FILE *in, void *data, size_t len)
{
    if (fread(data, 1, len, in) == len)
        return;
    pthread_mutex_lock(&lock);  /* main() keeps it once the user goes, and then this is no news */
    if (ferror(in))
        quit(1, "Connection lost", strerror(errno));
    quit(1, "The server has closed the connection", "");
}

static unsigned number(FILE *in, int size)
{
    unsigned char b[2];
    take(in, b, size);
    return size == 1 ? b[0] : b[0] << 8 | b[1];
}

static char *text(FILE *in, int size)
{
    static unsigned char data[65536];
    unsigned len = number(in, size);
    take(in, data, len);
    return safe(data, len);
}

static void *receive(void *in)
{
    for (;;) {
        unsigned type = number(in, 1);
        if (type == 7) {
            char *name = text(in, 1), *said = text(in, 2);
            printf("%s: %s\n", name, said);
            free(name), free(said);
        } else if (type == 6) {
            unsigned result = number(in, 1);
            puts(result == 0 ? "Success" : result == 1 ? "Failure" : "Malformed packet");
        } else if (type == 5) {
            unsigned count = number(in, 2);
            printf("%u users:", count);
            while (count--) {
                char *name = text(in, 1);
                printf(" %s", name);
                free(name);
            }
            puts("");
        } else
            quit(1, "The server sent something unknown", "");
        fflush(stdout);
        if (type != 7) {
            pthread_mutex_lock(&lock);
            due--;
            pthread_cond_signal(&answered);
            pthread_mutex_unlock(&lock);
        }
    }
    return NULL;
}

static void transmit(unsigned char type, const char *name, const char *said)
{
    unsigned char *p = malloc(8 + 256 + 65536), *end = p;
    size_t len;
    *end++ = type;
    if (name) {
        *end++ = len = strlen(name);
        memcpy(end, name, len);
        end += len;
    }
    if (said) {
        len = strlen(said);
        *end++ = len >> 8, *end++ = len;
        memcpy(end, said, len);
        end += len;
    }
    pthread_mutex_lock(&lock);
    due++;
    pthread_mutex_unlock(&lock);
    for (unsigned char *q = p; q < end;) {
        ssize_t n = send(sock, q, end - q, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            quit(1, "Connection lost", strerror(errno));
        q += n > 0 ? n : 0;
    }
    free(p);
}

/* Characters, not bytes: what is no continuation byte begins one. */
static size_t characters(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += (*s & 0xc0) != 0x80;
    return n;
}

/* Whether the client goes on after this line. */
static int command(char *line)
{
    char *name = strchr(line, ' '), *said = NULL;
    if (name)
        *name++ = 0;
    int good_name = name && *name && characters(name) <= 20;
    if (!strcmp(line, "login")) {
        if (!good_name || strpbrk(name, " \t"))
            puts("Bad username");
        else
            transmit(1, name, NULL);
    } else if (!strcmp(line, "sendto")) {
        if (name && (said = strchr(name, ' ')))
            *said++ = 0;
        if (!name || !*name || characters(name) > 20 || !said || !*said)
            puts("Bad username");
        else if (strlen(said) > 65535)
            puts("Bad message");
        else
            transmit(3, name, said);
    } else if ((!strcmp(line, "list") || !strcmp(line, "logout")) && !name)
        transmit(line[1] == 'i' ? 2 : 4, NULL, NULL);
    else if (!strcmp(line, "exit") && !name)
        return 0;
    else
        puts("Invalid command");
    fflush(stdout);
    return 1;
}

int main(int argc, char **argv)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *a;
    if (argc != 3)
        quit(2, "usage: client HOST PORT", "");
    int e = getaddrinfo(argv[1], argv[2], &hints, &a);
    if (e)
        quit(1, argv[1], gai_strerror(e));
    sock = socket(a->ai_family, a->ai_socktype, 0);
    if (connect(sock, a->ai_addr, a->ai_addrlen) < 0)
        quit(1, "Cannot connect", strerror(errno));

    pthread_t reader;
    pthread_create(&reader, NULL, receive, fdopen(sock, "rb"));
    char *line = NULL;
    size_t room = 0;
    for (ssize_t len; (len = getline(&line, &room, stdin)) > 0;) {
        if (line[len - 1] == '\n')
            line[len - 1] = 0;
        if (!command(line))
            break;
    }
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&lock);
    while (due > 0 && pthread_cond_timedwait(&answered, &lock, &until) == 0)
        ;
    fflush(stdout);
    shutdown(sock, SHUT_WR);
    _exit(0);
}
