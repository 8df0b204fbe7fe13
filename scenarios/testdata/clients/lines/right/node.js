#!/usr/bin/env node
// Line chat client with the readline module, which draws the prompt and what is half typed again after a message.
//
// Usage: node node.js USER chat://HOST:PORT
'use strict';

const net = require('net');
const readline = require('readline');

const [user, address] = process.argv.slice(2);
let url;
try {
  // "chat:" is no scheme that URL knows, and then it does not look at the port
  url = new URL(address.replace(/^chat:\/\//, 'http://'));
  if (!address.startsWith('chat://') || !user) throw new Error('no chat address');
} catch (e) {
  console.error('Usage: node node.js USER chat://HOST:PORT');
  process.exit(2);
}
const host = url.hostname.replace(/^\[|\]$/g, '');
const port = Number(url.port || 80);

const terminal = Boolean(process.stdin.isTTY && process.stdout.isTTY);
const socket = net.connect(port, host);
let rl = null;
let connected = false;
let leaving = false;
let status = 0;

function visible(text) {
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (c) => '\\x' + c.charCodeAt(0).toString(16).padStart(2, '0'));
}

function show(line) {
  if (!terminal || !rl) {
    process.stdout.write(line + '\n');
    return;
  }
  readline.cursorTo(process.stdout, 0);
  readline.clearLine(process.stdout, 0);
  process.stdout.write(line + '\n');
  rl.prompt(true);
}

function finish(code, why) {
  if (rl) {
    rl.removeAllListeners();
    rl.close(); // gives the terminal back
    if (terminal) process.stdout.write('\n');
  }
  if (why) console.log(why);
  process.exit(code);
}

function leave() {
  if (leaving) return;
  leaving = true;
  socket.end(`DISCONNECT ${user} CHAT/1.0\n`);
  setTimeout(() => finish(status), 1000).unref();
}

function received(line) {
  if (line === 'DISCONNECT CHAT/1.0') finish(0, 'The server shuts down.');
  if (/^40[01]\b/.test(line)) finish(1, visible(line));
  const message = /^@(.+?): ([^]*)$/.exec(line);
  show(message ? `${visible(message[1])}> ${visible(message[2])}` : `* ${visible(line)}`);
}

socket.on('connect', () => {
  connected = true;
  socket.write(`REGISTER ${user} CHAT/1.0\n`);
  const prompt = terminal ? `${user}> ` : '';
  rl = readline.createInterface({ input: process.stdin, output: process.stdout, terminal, prompt });
  rl.on('line', (text) => {
    socket.write(`@${user}: ${text}\n`);
    if (terminal) rl.prompt();
  });
  rl.on('SIGINT', leave);
  rl.on('close', leave);
  if (terminal) rl.prompt();
});

let rest = Buffer.alloc(0);
socket.on('data', (chunk) => {
  rest = Buffer.concat([rest, chunk]);
  for (let end; (end = rest.indexOf('\n')) >= 0; rest = rest.subarray(end + 1)) {
    received(rest.toString('utf8', 0, end).replace(/\r$/, ''));
  }
});

socket.on('end', () => finish(leaving ? status : 1, leaving ? '' : 'The server has closed the connection.'));
socket.on('error', (e) => {
  if (leaving) finish(status);
  finish(1, connected ? `Connection lost: ${e.message}` : `Cannot connect to ${host} port ${port}: ${e.message}`);
});
process.on('SIGINT', leave);
process.on('SIGTERM', leave);
