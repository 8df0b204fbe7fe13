/*
 * Chat server for UDP as handed in: C strings, a fixed array of clients.
 *
 * Build: gcc -O -pthread -o naive naive.c
 * Usage: ./naive PORT
 *
 * What is wrong with it:
 *   U-2   whatever begins with GREETING is one
 *   U-3   a zero byte ends the text
 *   U-3   the text ends at its first line break
 *   U-4   whatever begins with MESSAGE is a message, also MESSAGEhello; its text begins one byte later
 *   U-6   the clients after the first 64 are ignored
 *   U-9   what does not fit into 2000 bytes is cut
 *
 * Right: second greetings, the sender receives its message too, garbage is ignored, clients that have gone, whoever has
 * not greeted is ignored, text that is not UTF-8.
 */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_CLIENTS 64

static struct sockaddr_in clients[MAX_CLIENTS];
static int count;

static int find(struct sockaddr_in *a)
{
	for (int i = 0; i < count; i++)
		if (clients[i].sin_addr.s_addr == a->sin_addr.s_addr && clients[i].sin_port == a->sin_port)
			return i;
	return -1;
}

int main(int argc, char **argv)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in address;

	memset(&address, 0, sizeof address);
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons(atoi(argv[argc - 1]));
	if (bind(s, (struct sockaddr *)&address, sizeof address) < 0) {
		perror("bind");
		return 1;
	}
	printf("Server Initialized...\n");
	fflush(stdout);

	while (1) {
		char buffer[2001], answer[2100];
		struct sockaddr_in from;
		socklen_t size = sizeof from;
		int n = recvfrom(s, buffer, 2000, 0, (struct sockaddr *)&from, &size);

		if (n < 0)
			continue;
		buffer[n] = '\0';
		if (strncmp(buffer, "GREETING", 8) == 0) {
			if (find(&from) < 0 && count < MAX_CLIENTS)
				clients[count++] = from;
		} else if (strncmp(buffer, "MESSAGE", 7) == 0 && find(&from) >= 0) {
			char *text = buffer + (n > 8 ? 8 : n);
			text[strcspn(text, "\n")] = '\0';
			sprintf(answer, "INCOMING %s %d %s", inet_ntoa(from.sin_addr), ntohs(from.sin_port), text);
			for (int i = 0; i < count; i++)
				sendto(s, answer, strlen(answer), 0, (struct sockaddr *)&clients[i], sizeof clients[i]);
		}
	}
}
