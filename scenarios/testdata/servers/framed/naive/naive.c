/*
 * Chat server as handed in: a thread per client, fixed arrays, C strings.
 *
 * Build: gcc -O -pthread -o naive naive.c
 * Usage: ./naive PORT
 *
 * What is wrong with it:
 *   F-1   an eleventh client is refused (ten fit into the array)
 *   F-3   a text ends at its first zero byte; one of more than 2047 bytes is cut and its rest taken for a header;
 *         a name of more than 63 bytes likewise
 *   F-5   a reset is not told to the others: recv returns -1, and only 0 is looked for
 *   F-7   ... the place is never free again, and the second send to it ends the process (SIGPIPE)
 *   F-6   the list of users is not flushed: on a pipe it does not appear until 4096 bytes are there
 *   F-9   recv is called once for the header, once for the name, once for the text, and what it returns is not
 *         looked at: a frame in pieces is torn. Two frames in one segment are all right.
 *   F-11  a frame that is cut off is relayed with what was in the buffer before
 *   F-12  a message is relayed under the name in its frame
 *   F-14  send waits for a client that has stopped reading, and so does everybody who has something to say
 *         no mutex: frames of two senders can be interleaved, since a frame is sent in three pieces
 *
 * Right: silent clients, a duplicate name, a departure by close, huge lengths cost the client its connection at the
 * latest when it closes, invalid UTF-8 is just bytes.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CLIENTS 10

struct header {
	uint16_t name_len;
	uint32_t msg_len;
} __attribute__((packed));

int socks[MAX_CLIENTS];
char names[MAX_CLIENTS][64];

void broadcast(int from, char *name, char *msg)
{
	struct header h;
	int i;

	h.name_len = htons(strlen(name));
	h.msg_len = htonl(strlen(msg));
	for (i = 0; i < MAX_CLIENTS; i++) {
		if (socks[i] != 0 && i != from && names[i][0] != 0) {
			send(socks[i], &h, sizeof h, 0);
			send(socks[i], name, strlen(name), 0);
			send(socks[i], msg, strlen(msg), 0);
		}
	}
}

void *client_thread(void *arg)
{
	int me = (int)(intptr_t)arg;
	int name_len, msg_len;
	struct header h;
	char name[64], msg[2048], notice[128];

	while (1) {
		int n = recv(socks[me], &h, sizeof h, 0);
		if (n == 0)
			break;
		if (n < 0)
			return NULL;
		name_len = ntohs(h.name_len);
		msg_len = ntohl(h.msg_len);
		if (name_len > 63)
			name_len = 63;
		if (msg_len > 2047 || msg_len < 0)
			msg_len = 2047;
		if (name_len > 0)
			recv(socks[me], name, name_len, 0);
		name[name_len] = 0;
		if (msg_len > 0)
			recv(socks[me], msg, msg_len, 0);
		msg[msg_len] = 0;
		if (names[me][0] == 0) {
			strcpy(names[me], name);
			sprintf(notice, "%s has joined", name);
			broadcast(me, "SERVER", notice);
		}
		if (msg_len > 0)
			broadcast(me, name, msg);
	}
	sprintf(notice, "%s has left", names[me]);
	close(socks[me]);
	if (names[me][0] != 0)
		broadcast(me, "SERVER", notice);
	names[me][0] = 0;
	socks[me] = 0;
	return NULL;
}

void *print_users(void *arg)
{
	int i;

	while (1) {
		sleep(5);
		printf("Users:");
		for (i = 0; i < MAX_CLIENTS; i++)
			if (names[i][0] != 0)
				printf(" %s", names[i]);
		printf("\n");
	}
	return arg;
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr;
	pthread_t t;
	int s, c, i, yes = 1;

	if (argc != 2) {
		printf("usage: %s port\n", argv[0]);
		return 1;
	}
	s = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	memset(&addr, 0, sizeof addr);
	addr.sin_family = AF_INET;
	addr.sin_port = htons(atoi(argv[1]));
	addr.sin_addr.s_addr = inet_addr("127.0.0.1");
	if (bind(s, (struct sockaddr *)&addr, sizeof addr) < 0) {
		perror("bind");
		return 1;
	}
	listen(s, 5);
	printf("server ready on port %s\n", argv[1]);
	fflush(stdout);
	pthread_create(&t, NULL, print_users, NULL);
	while (1) {
		c = accept(s, NULL, NULL);
		for (i = 0; i < MAX_CLIENTS; i++)
			if (socks[i] == 0)
				break;
		if (i == MAX_CLIENTS) {
			close(c);
			continue;
		}
		socks[i] = c;
		pthread_create(&t, NULL, client_thread, (void *)(intptr_t)i);
	}
}
