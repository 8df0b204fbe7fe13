// Server for logging in, listing, sending and logging out as handed in: Node, one data event is one packet.
//
// Usage: node events.js PORT
//
// What is wrong with it:
//   D-2   no name is checked but whether it is in use; a second login on one connection adds another name
//   D-3   the length of a list is written into one byte of two: with more than 255 users it is wrong
//   D-4   a text is decoded and encoded again: what is not UTF-8 is changed
//   D-4   the length of a text counts its characters (string.length) and not its bytes
//   D-4   whoever is not logged in can send; the sender is then called undefined
//   D-7   an unknown type is not answered
//   D-9   a packet in pieces: a half is taken for a whole one, its rest for a type (or the server dies: RangeError)
//   D-9   several packets in one segment: only the first is looked at
//   D-13  a packet cut off by a close, or a length beyond what follows, kills the server (RangeError)
//
// Right: several clients at the same time, silent clients, closes and resets, long texts that come at once, logging out
// and in again, clients that stop reading.

const net = require('net');

const users = {};   // name -> socket

function respond(socket, result) {
  socket.write(Buffer.from([6, result]));
}

function logOut(socket) {
  for (const name in users) {
    if (users[name] === socket) {
      delete users[name];
      return true;
    }
  }
  return false;
}

const server = net.createServer((socket) => {
  socket.setNoDelay();
  socket.on('error', () => logOut(socket));
  socket.on('close', () => logOut(socket));
  socket.on('data', (data) => {
    if (data[0] === 1) {
      const name = data.toString('utf8', 2, 2 + data.readUInt8(1));
      if (name in users) {
        respond(socket, 1);
      } else {
        users[name] = socket;
        socket.name = name;
        respond(socket, 0);
      }
    } else if (data[0] === 2) {
      const parts = [Buffer.from([5, 0, Object.keys(users).length])];
      for (const name in users) {
        parts.push(Buffer.from([Buffer.byteLength(name)]), Buffer.from(name));
      }
      socket.write(Buffer.concat(parts));
    } else if (data[0] === 3) {
      const end = 2 + data.readUInt8(1);
      const receiver = users[data.toString('utf8', 2, end)];
      const text = data.toString('utf8', end + 2, end + 2 + data.readUInt16BE(end));
      if (!receiver) {
        respond(socket, 1);
        return;
      }
      const sender = Buffer.from(String(socket.name));
      const length = Buffer.alloc(2);
      length.writeUInt16BE(text.length);
      receiver.write(Buffer.concat([Buffer.from([7, sender.length]), sender, length, Buffer.from(text)]));
      respond(socket, 0);
    } else if (data[0] === 4) {
      respond(socket, logOut(socket) ? 0 : 1);
    }
  });
});

server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening on ' + process.argv[2]));
