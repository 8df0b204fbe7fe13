// Server for logging in, listing, sending to one user and logging out: events, in another language.
//
// Usage: node node.js PORT
//
// The first bytes of whatever it sends go out one by one, each in a segment of its own.
//
// Decisions where the assignment says nothing:
//   * after a malformed packet everything that this client sends is ignored, but it stays logged in and hears others
//   * who sends to himself gets his text, and then the answer

'use strict';

const net = require('net');

const SINGLE_BYTES = 24;
const MAX_PENDING = 64 << 20;
const users = new Map(); // name in hex -> Client

class Client {
  constructor(socket) {
    this.socket = socket;
    this.name = null;
    this.input = Buffer.alloc(0);
    this.deaf = false;
    this.waiting = new Set(); // packets in order, the first of which is being written
    this.pending = 0; // their bytes
    this.ended = false;
    socket.setNoDelay(true);
    socket.on('data', (data) => this.received(data));
    socket.on('end', () => this.finish());
    socket.on('close', () => this.logout());
    socket.on('error', () => socket.destroy());
  }

  received(data) {
    if (this.deaf) return;
    this.input = Buffer.concat([this.input, data]);
    let size;
    while (!this.deaf && (size = this.handleFirst()) > 0) this.input = this.input.subarray(size);
  }

  // Handles the first packet and returns its size, or 0 if it is not complete.
  handleFirst() {
    const input = this.input;
    if (input.length === 0) return 0;
    switch (input[0]) {
      case 1: {
        if (input.length < 2 || input.length < 2 + input[1]) return 0;
        this.respond(this.login(Buffer.from(input.subarray(2, 2 + input[1]))));
        return 2 + input[1];
      }
      case 2:
        this.send(listReply());
        return 1;
      case 3: {
        if (input.length < 2) return 0;
        const textLength = 2 + input[1];
        if (input.length < textLength + 2) return 0;
        const end = textLength + 2 + input.readUInt16BE(textLength);
        if (input.length < end) return 0;
        this.respond(this.sendTo(input.subarray(2, textLength), input.subarray(textLength, end)));
        return end;
      }
      case 4:
        this.respond(this.logout());
        return 1;
      default:
        this.deaf = true;
        this.input = Buffer.alloc(0);
        this.send(Buffer.from([6, 2]));
        return 0;
    }
  }

  login(name) {
    if (this.name !== null || users.has(name.toString('hex')) || !acceptable(name)) return false;
    this.name = name;
    users.set(name.toString('hex'), this);
    return true;
  }

  logout() {
    if (this.name === null) return false;
    users.delete(this.name.toString('hex'));
    this.name = null;
    return true;
  }

  // The text comes with its length in front, as it goes out again.
  sendTo(destination, text) {
    const receiver = users.get(destination.toString('hex'));
    if (this.name === null || receiver === undefined) return false;
    receiver.send(Buffer.concat([Buffer.from([7, this.name.length]), this.name, text]));
    return true;
  }

  respond(success) {
    this.send(Buffer.from([6, success ? 0 : 1]));
  }

  send(packet) {
    this.waiting.add(packet);
    this.pending += packet.length;
    if (this.pending > MAX_PENDING) this.socket.destroy();
    else if (this.waiting.size === 1) this.write(packet, 0);
  }

  write(packet, from) {
    const to = from < SINGLE_BYTES ? from + 1 : packet.length;
    this.socket.write(packet.subarray(from, to), (error) => {
      // Everybody else has a turn before the next byte.
      if (!error) setImmediate(() => this.written(packet, to));
    });
  }

  written(packet, to) {
    if (to < packet.length) {
      this.write(packet, to);
      return;
    }
    this.pending -= packet.length;
    this.waiting.delete(packet);
    if (this.waiting.size > 0) this.write(this.waiting.values().next().value, 0);
    else if (this.ended) this.socket.end();
  }

  // The client sends no more, but may still read its last answers.
  finish() {
    this.logout();
    this.ended = true;
    if (this.waiting.size === 0) this.socket.end();
  }
}

function listReply() {
  const parts = [Buffer.from([5, users.size >> 8, users.size & 255])];
  for (const { name } of users.values()) parts.push(Buffer.from([name.length]), name);
  return Buffer.concat(parts);
}

function acceptable(name) {
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(name);
  } catch {
    return false;
  }
  const length = [...text].length;
  return length >= 1 && length <= 20 && !/\s/u.test(text);
}

const server = net.createServer({ allowHalfOpen: true }, (socket) => new Client(socket));
server.listen({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 256 }, () => console.log('server is up'));
