/* Client for the framed chat room: one poll() loop.
 *
 *   gcc -O -o client loop.c && ./client HOST PORT USER
 *
 * Reads with read() and never with fgets(): what stdio has read ahead, poll() does not see.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct buffer { unsigned char *data; size_t len, room; };

static int sock = -1;

static void die(const char *what, const char *why)
{
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

/* Reads once behind what is in b; the result is that of read(). */
static ssize_t more(int fd, struct buffer *b)
{
    if (b->room - b->len < 65536) {
        b->room = b->room * 2 + 65536;
        if (!(b->data = realloc(b->data, b->room)))
            die("buffer", "out of memory");
    }
    ssize_t n;
    do n = read(fd, b->data + b->len, b->room - b->len); while (n < 0 && errno == EINTR);
    if (n > 0)
        b->len += n;
    return n;
}

static void drop(struct buffer *b, size_t n)
{
    memmove(b->data, b->data + n, b->len -= n);
}

static void send_all(const void *data, size_t len)
{
    while (len) {
        ssize_t n = send(sock, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            die("connection lost", strerror(errno));
        data = (const char *)data + n;
        len -= n;
    }
}

static void send_frame(const char *user, const void *text, size_t len)
{
    size_t n = strlen(user);
    unsigned char *frame = malloc(6 + n + len), header[6] = {n >> 8, n, len >> 24, len >> 16, len >> 8, len};
    if (!frame)
        die("frame", "out of memory");
    memcpy(frame, header, 6);
    memcpy(frame + 6, user, n);
    memcpy(frame + 6 + n, text, len);
    send_all(frame, 6 + n + len);
    free(frame);
}

/* How many bytes the character at p has, 0 if it is no UTF-8. */
static int character(const unsigned char *p, size_t len)
{
    int n = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : *p >= 0xe0 && *p < 0xf0 ? 3 : *p >= 0xf0 && *p < 0xf5 ? 4 : 0;
    if ((size_t)n > len)
        return 0;
    for (int i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

static void show(const unsigned char *p, size_t len)
{
    while (len) {
        int n = character(p, len);
        int control = n == 1 ? *p < 32 || *p == 127 : n == 2 && p[0] == 0xc2 && p[1] < 0xa0;
        if (control && n == 1)
            printf("^%c", *p ^ 64);
        else if (control || n == 0)
            for (int i = 0; i < (n ? n : 1); i++)
                printf("\\x%02x", p[i]);
        else
            fwrite(p, 1, n, stdout);
        n = n ? n : 1;
        p += n, len -= n;
    }
}

static void show_frames(struct buffer *b)
{
    while (b->len >= 6) {
        unsigned char *p = b->data;
        size_t n = p[0] << 8 | p[1], m = (size_t)p[2] << 24 | p[3] << 16 | p[4] << 8 | p[5];
        if (b->len < 6 + n + m)
            break;
        show(p + 6, n);
        printf(": ");
        show(p + 6 + n, m);
        printf("\n");
        drop(b, 6 + n + m);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 4 || strlen(argv[3]) > 65535)
        return fprintf(stderr, "usage: %s HOST PORT USER\n", argv[0]), 2;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int e = getaddrinfo(argv[1], argv[2], &hints, &list);
    if (e)
        die(argv[1], gai_strerror(e));
    for (struct addrinfo *a = list; a; a = a->ai_next) {
        if ((sock = socket(a->ai_family, a->ai_socktype, a->ai_protocol)) < 0)
            continue;
        if (connect(sock, a->ai_addr, a->ai_addrlen) == 0)
            break;
        e = errno;
        close(sock);
        sock = -1;
    }
    if (sock < 0)
        die("cannot connect", strerror(e));
    send_frame(argv[3], "", 0);

    struct buffer typed = {0}, received = {0};
    struct pollfd fds[2] = {{.fd = sock, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    int wait = -1;                       /* a second when the user has gone */
    while (poll(fds, 2, wait) > 0 || (wait < 0 && errno == EINTR)) {
        if (fds[0].revents) {
            ssize_t n = more(sock, &received);
            if (n <= 0 && wait > 0)
                return 0;
            if (n < 0)
                die("connection lost", strerror(errno));
            if (n == 0)
                die("goodbye", "the server has closed the connection");
            show_frames(&received);
        }
        if (fds[1].fd == 0 && fds[1].revents) {
            ssize_t n = more(0, &typed);
            unsigned char *end;
            while (typed.len && ((end = memchr(typed.data, '\n', typed.len)) || n <= 0)) {
                size_t len = end ? (size_t)(end - typed.data) : typed.len;
                send_frame(argv[3], typed.data, len);
                drop(&typed, end ? len + 1 : len);
            }
            if (n <= 0) {
                fds[1].fd = -1;
                shutdown(sock, SHUT_WR);
                wait = 1000;
            }
        }
    }
    return 0;
}
