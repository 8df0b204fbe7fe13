/*
 * Line chat server in C: one poll loop, non-blocking sockets, buffers that grow.
 *
 * Build: gcc -O -o loop loop.c
 * Usage: ./loop [PORT]                 without PORT a free one is taken and printed
 *
 * A line ends in LF, and a CR before it does not belong to it.
 *
 * Decisions where the protocol leaves a choice:
 *   - who sends a line that is too long is hung up on, and so is who sends NUL or invalid UTF-8 before it has registered;
 *     afterwards such lines are ignored
 *   - a line under another name is ignored
 *   - from somebody who has not registered, what is no registration is ignored, unless it begins with REGISTER
 *   - a second registration on one connection is answered 401, and the client stays
 *   - a short output is sent byte by byte, so that almost every byte is a segment of its own
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_LINE (64 * 1024)		/* bytes, without the end */
#define MAX_OUTPUT (64 * 1024 * 1024)	/* bytes that may wait for one client */
#define MAX_NAME 255
#define BYTE_BY_BYTE 2048		/* up to so many bytes of output */

struct buffer {
	char *data;
	size_t start, len, size;	/* what counts is data[start] up to data[start + len] */
};

struct client {
	int sock;
	char name[MAX_NAME + 1];	/* "" until registered */
	struct buffer in, out;
	double closing;			/* since when we wait for the other side to close, or 0 */
	int ended;			/* our end of the stream has been sent */
	int dead;
};

static struct client **clients;
static struct pollfd *polls;
static size_t count, room;
static int wake[2];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void *check(void *memory)
{
	if (memory == NULL) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	return memory;
}

/* ---- buffers */

static void append(struct buffer *b, const char *data, size_t len)
{
	if (b->start + b->len + len > b->size) {
		if (b->len > 0)
			memmove(b->data, b->data + b->start, b->len);
		b->start = 0;
		if (b->len + len > b->size) {
			b->size = 2 * (b->len + len);
			b->data = check(realloc(b->data, b->size));
		}
	}
	memcpy(b->data + b->start + b->len, data, len);
	b->len += len;
}

static void take(struct buffer *b, size_t len)
{
	b->start += len;
	b->len -= len;
	if (b->len == 0)
		b->start = 0;
}

static void discard(struct buffer *b)
{
	free(b->data);
	memset(b, 0, sizeof *b);
}

/* ---- output */

static void flush(struct client *c)
{
	while (c->out.len > 0 && !c->dead) {
		size_t len = c->out.len <= BYTE_BY_BYTE ? 1 : c->out.len;
		ssize_t n = send(c->sock, c->out.data + c->out.start, len, MSG_NOSIGNAL);

		if (n > 0)
			take(&c->out, n);
		else if (errno == EAGAIN || errno == EINTR)
			return;
		else
			c->dead = 1;
	}
	if (c->closing && !c->ended) {
		c->ended = 1;
		shutdown(c->sock, SHUT_WR);
	}
}

static void say(struct client *c, const char *line, size_t len)
{
	if (c->closing || c->dead)
		return;
	append(&c->out, line, len);
	append(&c->out, "\n", 1);
	if (c->out.len > MAX_OUTPUT)
		c->dead = 1;
}

static void answer(struct client *c, const char *line)
{
	say(c, line, strlen(line));
}

/*
 * What waits is still sent. Input is read and thrown away until the other side closes, for a second: to close with
 * input unread would be a reset, and take the last words away from it.
 */
static void hang_up(struct client *c)
{
	if (c->closing)
		return;
	c->name[0] = 0;
	c->closing = now();
	discard(&c->in);
}

/* ---- input */

static int is_utf8(const unsigned char *s, size_t len)
{
	size_t i = 0;

	while (i < len) {
		unsigned char c = s[i++];
		unsigned low = 0x80, high = 0xBF, more;

		if (c < 0x80)
			continue;
		if (c >= 0xC2 && c <= 0xDF)
			more = 1;
		else if (c >= 0xE0 && c <= 0xEF)
			more = 2;
		else if (c >= 0xF0 && c <= 0xF4)
			more = 3;
		else
			return 0;
		if (c == 0xE0)
			low = 0xA0;	/* overlong */
		else if (c == 0xED)
			high = 0x9F;	/* surrogates */
		else if (c == 0xF0)
			low = 0x90;	/* overlong */
		else if (c == 0xF4)
			high = 0x8F;	/* beyond U+10FFFF */
		for (; more > 0; more--) {
			if (i == len || s[i] < low || s[i] > high)
				return 0;
			i++;
			low = 0x80;
			high = 0xBF;
		}
	}
	return 1;
}

static struct client *find(const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!clients[i]->dead && strcmp(clients[i]->name, name) == 0)
			return clients[i];
	return NULL;
}

/* The line has no zero byte in it, and one behind it. */
static void registration(struct client *c, char *line)
{
	char *name = line + strlen("REGISTER "), *end;

	if (strncmp(line, "REGISTER ", strlen("REGISTER ")) != 0 || (end = strchr(name, ' ')) == NULL || end == name ||
	    end - name > MAX_NAME || strcmp(end, " CHAT/1.0") != 0 || strcspn(name, "\t\v\f\r:") < (size_t)(end - name)) {
		answer(c, "400 invalid");
		hang_up(c);
		return;
	}
	*end = 0;
	if (c->name[0] != 0) {
		answer(c, "401 you have a name already");
	} else if (find(name) != NULL) {
		answer(c, "401 name in use");
		hang_up(c);
	} else {
		strcpy(c->name, name);
		answer(c, "200 ok");
	}
}

/* There is a byte behind the line that may be overwritten. */
static void handle(struct client *c, char *line, size_t len)
{
	size_t i, name_len = strlen(c->name);

	if (len > 0 && line[len - 1] == '\r')
		len--;
	line[len] = 0;
	if (len > MAX_LINE) {
		hang_up(c);
		return;
	}
	if (memchr(line, 0, len) != NULL || !is_utf8((unsigned char *)line, len)) {
		if (c->name[0] == 0)
			hang_up(c);
		return;
	}
	if (strncmp(line, "REGISTER", strlen("REGISTER")) == 0 && (line[8] == 0 || line[8] == ' ')) {
		if (c->name[0] == 0 || strlen(line) > 9)
			registration(c, line);
	} else if (c->name[0] == 0) {
		return;
	} else if (line[0] == '@' && strncmp(line + 1, c->name, name_len) == 0 && strncmp(line + 1 + name_len, ": ", 2) == 0) {
		for (i = 0; i < count; i++)
			if (clients[i] != c && clients[i]->name[0] != 0)
				say(clients[i], line, len);
	} else if (strncmp(line, "DISCONNECT ", 11) == 0 && strncmp(line + 11, c->name, name_len) == 0 &&
		   strcmp(line + 11 + name_len, " CHAT/1.0") == 0) {
		hang_up(c);
	}
}

static void receive(struct client *c)
{
	static char data[65536];
	ssize_t n = recv(c->sock, data, sizeof data, 0);
	size_t searched = c->in.len, len;
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		flush(c);
		c->dead = 1;
		return;
	}
	if (c->closing)
		return;
	append(&c->in, data, n);
	while (!c->closing && (end = memchr(c->in.data + c->in.start + searched, '\n', c->in.len - searched)) != NULL) {
		len = end - (c->in.data + c->in.start);
		handle(c, c->in.data + c->in.start, len);
		if (!c->closing)
			take(&c->in, len + 1);
		searched = 0;
	}
	if (c->in.len > MAX_LINE + 1)	/* a CR may be among them */
		hang_up(c);
}

/* ---- the server */

static void welcome(int listener)
{
	struct client *c;
	int yes = 1, sock = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	if (sock < 0)
		return;
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	c = check(calloc(1, sizeof *c));
	c->sock = sock;
	if (count == room) {
		room = 2 * room + 16;
		clients = check(realloc(clients, room * sizeof *clients));
		polls = check(realloc(polls, (room + 2) * sizeof *polls));
	}
	clients[count++] = c;
}

static void bury(void)
{
	size_t i, kept = 0;

	for (i = 0; i < count; i++) {
		struct client *c = clients[i];

		if (c->closing && now() - c->closing > 1)
			c->dead = 1;
		if (!c->dead) {
			clients[kept++] = c;
			continue;
		}
		close(c->sock);
		discard(&c->in);
		discard(&c->out);
		free(c);
	}
	count = kept;
}

static void stop(int listener)
{
	size_t i;

	close(listener);
	for (i = 0; i < count; i++) {
		if (clients[i]->name[0] != 0)
			answer(clients[i], "DISCONNECT CHAT/1.0");
		hang_up(clients[i]);
	}
}

static void interrupted(int sig)
{
	(void)sig;
	if (write(wake[1], "", 1) < 0)
		_exit(1);
}

static void run(int listener)
{
	double deadline = 0;
	size_t i, n;

	while (deadline == 0 || (count > 0 && now() < deadline)) {
		n = count;
		for (i = 0; i < n; i++) {
			polls[i].fd = clients[i]->sock;
			polls[i].events = POLLIN | (clients[i]->out.len > 0 ? POLLOUT : 0);
		}
		polls[n].fd = deadline == 0 ? wake[0] : -1;
		polls[n].events = POLLIN;
		polls[n + 1].fd = deadline == 0 ? listener : -1;
		polls[n + 1].events = POLLIN;
		if (poll(polls, n + 2, 100) < 0)
			continue;
		for (i = 0; i < n; i++)
			if (polls[i].revents & ~POLLOUT)
				receive(clients[i]);
		if (polls[n].revents) {
			deadline = now() + 0.6;
			stop(listener);
		} else if (polls[n + 1].revents) {
			welcome(listener);
		}
		for (i = 0; i < count; i++)
			flush(clients[i]);
		bury();
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof addr;
	int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	addr.sin_port = htons(argc > 1 ? atoi(argv[1]) : 0);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (pipe(wake) < 0 || bind(listener, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(listener, 256) < 0) {
		perror("cannot listen");
		return 1;
	}
	polls = check(calloc(2, sizeof *polls));
	signal(SIGINT, interrupted);
	signal(SIGTERM, interrupted);
	getsockname(listener, (struct sockaddr *)&addr, &len);
	printf("Port: %d\n", ntohs(addr.sin_port));
	fflush(stdout);
	run(listener);
	return 0;
}
