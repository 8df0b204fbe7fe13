/* Chat server for UDP in C: a list of addresses that grows.
 *
 * Build: gcc -O -o list list.c
 * Usage: ./list PORT
 *
 * A message of somebody who has not greeted is not distributed. A text that is too long for an INCOMING goes to nobody.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LONGEST 65536
#define LONGEST_HEAD 64

static const char greeting[] = "GREETING";
static const char message[] = "MESSAGE ";
#define MESSAGE_LENGTH ((ssize_t)sizeof message - 1)

static struct sockaddr_in *active;
static size_t count, room;

static int is_active(const struct sockaddr_in *who)
{
    for (size_t i = 0; i < count; i++)
        if (active[i].sin_addr.s_addr == who->sin_addr.s_addr && active[i].sin_port == who->sin_port)
            return 1;
    return 0;
}

static void greeted(const struct sockaddr_in *who)
{
    if (is_active(who))
        return;
    if (count == room) {
        size_t more = room ? 2 * room : 64;
        struct sockaddr_in *grown = realloc(active, more * sizeof *grown);
        if (grown == NULL)
            return;
        active = grown;
        room = more;
    }
    active[count++] = *who;
}

static void distribute(int sock, const struct sockaddr_in *sender, const char *text, size_t length)
{
    static char datagram[LONGEST_HEAD + LONGEST];
    char address[INET_ADDRSTRLEN];

    if (inet_ntop(AF_INET, &sender->sin_addr, address, sizeof address) == NULL)
        return;
    int head = snprintf(datagram, LONGEST_HEAD, "INCOMING %s %u ", address, ntohs(sender->sin_port));
    memcpy(datagram + head, text, length);
    /* A send that fails concerns nobody but its receiver. */
    for (size_t i = 0; i < count; i++)
        sendto(sock, datagram, head + length, 0, (struct sockaddr *)&active[i], sizeof active[i]);
}

int main(int argc, char **argv)
{
    static char datagram[LONGEST];
    int size = 16 << 20;
    struct sockaddr_in here = {.sin_family = AF_INET};

    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    here.sin_port = htons(atoi(argv[1]));
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int sock = socket(AF_INET, SOCK_DGRAM, 0);
    if (sock < 0 || bind(sock, (struct sockaddr *)&here, sizeof here) < 0) {
        perror("cannot listen");
        return 1;
    }
    setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    puts("Server Initialized...");
    fflush(stdout);

    for (;;) {
        struct sockaddr_in sender;
        socklen_t sender_size = sizeof sender;
        ssize_t length = recvfrom(sock, datagram, sizeof datagram, 0, (struct sockaddr *)&sender, &sender_size);
        if (length < 0)
            continue;
        if (length == (ssize_t)strlen(greeting) && memcmp(datagram, greeting, length) == 0)
            greeted(&sender);
        else if (length >= MESSAGE_LENGTH && memcmp(datagram, message, MESSAGE_LENGTH) == 0 && is_active(&sender))
            distribute(sock, &sender, datagram + MESSAGE_LENGTH, length - MESSAGE_LENGTH);
    }
}
