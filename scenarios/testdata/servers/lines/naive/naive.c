/*
 * Line chat server as handed in: a thread per client, fixed arrays, C strings.
 *
 * Build: gcc -O -pthread -o naive naive.c
 * Usage: ./naive [PORT]
 *
 * What is wrong with it:
 *   L-3   an eleventh client is hung up on without a word (ten fit into the array)
 *   L-5   a line of more than 1023 bytes is relayed in several messages, of which only the first has a prefix
 *   L-7   DISCONNECT is obeyed whatever name it has
 *   L-8   SIGTERM ends the server without a word
 *   L-9   a name of more than 31 bytes is not malformed, but writes over what follows it in memory
 *   L-11  what begins with @ is relayed before a registration, too
 *   L-12  a message is relayed under the name in its prefix
 *   L-13  a line ends at its first zero byte; a long one is no reason to refuse anything; invalid UTF-8 is relayed
 *   L-14  after a reset the place is never free again (read returns -1, and only 0 is looked for), the name is taken, and the
 *         second send to it ends the process (SIGPIPE)
 *   L-15  send waits for a client that has stopped reading, and so does everybody who has something to say
 *         no mutex: two clients that come at once may get the same place
 *
 * Right: lines in pieces, several lines in one segment, silent clients, texts that contain colons and control words.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CLIENTS 10
#define LINE 1024

struct client {
	int sock;
	char name[32];
	char spare[LINE];
};

struct client clients[MAX_CLIENTS];

void say(int sock, const char *text)
{
	send(sock, text, strlen(text), 0);
}

void stop(int sig)
{
	int i;

	for (i = 0; i < MAX_CLIENTS; i++)
		if (clients[i].name[0] != 0)
			say(clients[i].sock, "DISCONNECT CHAT/1.0\n");
	_exit(sig != SIGINT);
}

/* Returns what the last read returned: 0 at the end of the stream. */
int read_line(int sock, char *line)
{
	int n, len = 0;

	while ((n = read(sock, line + len, 1)) != 0) {
		if (n < 0)
			return n;
		if (line[len] == '\n')
			break;
		if (++len == LINE - 2)
			break;
	}
	line[len] = 0;
	return n;
}

void *client_thread(void *arg)
{
	struct client *me = arg;
	char line[LINE], name[LINE], version[LINE];
	int i, n;

	while ((n = read_line(me->sock, line)) != 0) {
		if (n < 0)
			return NULL;
		if (strncmp(line, "REGISTER", 8) == 0) {
			if (sscanf(line, "REGISTER %s %s", name, version) != 2 || strcmp(version, "CHAT/1.0") != 0) {
				say(me->sock, "400 Invalid registration\n");
				break;
			}
			for (i = 0; i < MAX_CLIENTS; i++)
				if (strcmp(clients[i].name, name) == 0)
					break;
			if (i < MAX_CLIENTS) {
				say(me->sock, "401 Client already registered\n");
				break;
			}
			strcpy(me->name, name);
			say(me->sock, "200 Registration successful\n");
		} else if (strncmp(line, "DISCONNECT", 10) == 0) {
			break;
		} else if (line[0] == '@' || me->name[0] != 0) {
			strcat(line, "\n");
			for (i = 0; i < MAX_CLIENTS; i++)
				if (&clients[i] != me && clients[i].name[0] != 0)
					say(clients[i].sock, line);
		} else {
			say(me->sock, "400 Invalid registration\n");
			break;
		}
	}
	n = me->sock;
	me->name[0] = 0;
	me->sock = 0;
	close(n);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof addr;
	pthread_t t;
	int s, c, i, yes = 1;

	signal(SIGINT, stop);
	s = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	memset(&addr, 0, sizeof addr);
	addr.sin_family = AF_INET;
	addr.sin_port = htons(argc > 1 ? atoi(argv[1]) : 0);
	addr.sin_addr.s_addr = inet_addr("127.0.0.1");
	if (bind(s, (struct sockaddr *)&addr, sizeof addr) < 0) {
		perror("bind");
		return 1;
	}
	listen(s, 5);
	getsockname(s, (struct sockaddr *)&addr, &len);
	printf("Waiting for clients on port %d\n", ntohs(addr.sin_port));
	fflush(stdout);
	while (1) {
		c = accept(s, NULL, NULL);
		for (i = 0; i < MAX_CLIENTS; i++)
			if (clients[i].sock == 0)
				break;
		if (i == MAX_CLIENTS) {
			close(c);
			continue;
		}
		clients[i].sock = c;
		pthread_create(&t, NULL, client_thread, &clients[i]);
		pthread_detach(t);
	}
}
