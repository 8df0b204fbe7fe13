// UDP chat client: node node.js HOST PORT
'use strict';

const dgram = require('dgram');
const net = require('net');
const readline = require('readline');

const [host, port] = [process.argv[2], Number(process.argv[3])];
if (process.argv.length !== 4 || !Number.isInteger(port) || port < 1 || port > 65535) {
  console.log('usage: node node.js HOST PORT');
  process.exit(2);
}

const terminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
const socket = dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4');
const rl = readline.createInterface({ input: process.stdin, output: process.stdout, terminal, prompt: '] ' });

const send = (text) => socket.send(text, port, host, (error) => {
  if (error && error.code === 'ENOTFOUND') {
    quit(1, `unknown host ${host}`);
  }
});

function escape(text) {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function quit(status, why) {
  rl.removeAllListeners('close');
  rl.close();
  process.stdout.write(`${why || ''}\n`);
  process.exit(status);
}

socket.on('error', () => {}); // "anything else (e.g. ICMP errors) must be ignored"

socket.on('message', (datagram, from) => {
  const parts = /^INCOMING (\S+) (\d+) ([^]*)$/.exec(datagram.toString());
  if (!parts || from.port !== port) return;
  if (terminal) {
    readline.cursorTo(process.stdout, 0);
    readline.clearScreenDown(process.stdout);
  }
  process.stdout.write(`<From ${escape(parts[1])}:${parts[2]}>: ${escape(parts[3])}\n`);
  if (terminal) rl.prompt(true);
});

rl.on('line', (text) => {
  if (text !== '') send(`MESSAGE ${text}`);
  rl.prompt();
});
rl.on('SIGINT', () => quit(130));
rl.on('close', () => setTimeout(() => quit(0), terminal ? 0 : 300));
process.on('SIGINT', () => quit(130));
process.on('SIGTERM', () => quit(143));

send('GREETING');
rl.prompt();
