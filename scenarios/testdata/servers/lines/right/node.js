// Line chat server for Node, with callbacks and nothing but the standard library.
//
// Usage: node node.js [PORT]              without PORT a free one is taken and printed
//
// A line ends in LF, a CR before it does not belong to it, and the end of the stream ends a line, too.
//
// Decisions where the protocol leaves a choice:
//   * a line that is too long costs the connection; lines with NUL or invalid UTF-8 in them are ignored
//   * who speaks under another name is thrown out
//   * what is no registration is answered 400, whatever it is, and ends the connection
//   * a second registration on one connection is ignored, unless its name is taken: then it is answered 401
'use strict';

const net = require('net');

const MAX_LINE = 64 * 1024; // bytes, without the end
const MAX_WAITING = 64 * 1024 * 1024; // bytes that may wait for one client
const LF = 10;
const CR = 13;

const members = new Map(); // name -> Client
const sockets = new Set();
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
let stopping = false;

class Client {
	constructor(socket) {
		this.socket = socket;
		this.name = null;
		this.pieces = []; // of a line that is not complete
		this.length = 0; // of the pieces together
		this.left = false;
		socket.setNoDelay(true);
		socket.on('data', (data) => this.onData(data));
		socket.on('end', () => this.onEnd());
		socket.on('error', () => {}); // is followed by close
		socket.on('close', () => {
			this.leave();
			sockets.delete(socket);
		});
	}

	onData(data) {
		let start = 0;
		while (!this.left) {
			const end = data.indexOf(LF, start);
			if (end < 0) break;
			this.take(data.subarray(start, end));
			this.onLine();
			start = end + 1;
		}
		if (!this.left) this.take(data.subarray(start));
	}

	onEnd() {
		if (!this.left && this.length > 0) this.onLine();
		this.hangUp();
	}

	take(piece) {
		this.pieces.push(piece);
		this.length += piece.length;
		if (this.length > MAX_LINE + 1) this.hangUp(); // a CR may be among them
	}

	onLine() {
		if (this.left) return;
		let line = Buffer.concat(this.pieces);
		this.pieces = [];
		this.length = 0;
		if (line.at(-1) === CR) line = line.subarray(0, -1);
		if (line.length > MAX_LINE) return this.hangUp();
		const text = decode(line);
		if (this.name === null) return this.register(text);
		if (text === null) return;
		if (text.startsWith('@')) {
			if (!text.startsWith(`@${this.name}: `)) return this.hangUp();
			for (const member of members.values()) {
				if (member !== this) member.send(line);
			}
		} else if (text === `DISCONNECT ${this.name} CHAT/1.0`) {
			this.hangUp();
		} else {
			const name = registration(text);
			if (name !== null && members.has(name)) this.send('401 Client already registered');
		}
	}

	register(text) {
		const name = text === null ? null : registration(text);
		if (name === null) return this.hangUp('400 Invalid registration');
		if (members.has(name)) return this.hangUp('401 Client already registered');
		this.name = name;
		members.set(name, this);
		this.send('200 OK');
	}

	send(line) {
		if (this.left) return;
		this.socket.write(Buffer.concat([Buffer.from(line), Buffer.of(LF)]));
		if (this.socket.writableLength > MAX_WAITING) this.socket.destroy();
	}

	leave() {
		this.left = true;
		this.pieces = [];
		if (members.get(this.name) === this) members.delete(this.name);
	}

	// Input is read and thrown away until the client closes, for a second: to close with input unread would be a reset,
	// and take the last words away from it.
	hangUp(lastWords) {
		if (this.left) return;
		if (lastWords) this.send(lastWords);
		this.leave();
		this.socket.end();
		setTimeout(() => this.socket.destroy(), 1000).unref();
	}
}

// The text of a line, or null if it is none.
function decode(line) {
	if (line.includes(0)) return null;
	try {
		return utf8.decode(line);
	} catch {
		return null;
	}
}

// The name in a good registration, or null.
function registration(text) {
	const match = /^REGISTER ([^\s:]+) CHAT\/1\.0$/u.exec(text);
	return match && match[1];
}

const server = net.createServer({ allowHalfOpen: true }, (socket) => {
	sockets.add(socket);
	new Client(socket);
	if (stopping) socket.destroy();
});

function stop() {
	if (stopping) return;
	stopping = true;
	for (const member of [...members.values()]) member.hangUp('DISCONNECT CHAT/1.0');
	for (const socket of sockets) socket.end();
	server.close(() => process.exit(0)); // when all connections have ended
	setTimeout(() => process.exit(0), 500);
}

process.on('SIGINT', stop);
process.on('SIGTERM', stop);

server.listen({ host: '127.0.0.1', port: Number(process.argv[2] || 0), backlog: 256 }, () => {
	const { address, port } = server.address();
	console.log(`Server is up, address ${address}, port ${port}.`);
});
