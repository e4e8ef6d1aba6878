// SPDX-License-Identifier: MIT
// Servers with faults below the service: in gRPC's frames, in HTTP/2, or from the first byte on. A
// gRPC library cannot produce these faults, so node's http2 and net modules are used directly.
import fs from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { definition } from './service.mjs';
import { seal, unseal } from './seal.mjs';

function frame(message, { flag = 0, length = message.length } = {}) {
	const head = Buffer.alloc(5);
	head[0] = flag;
	head.writeUInt32BE(length, 1);
	return Buffer.concat([head, message]);
}

// Sends a correct response, except for the given parameters. trailers: null sends no trailers.
function answer(stream, { status = 200, type = 'application/grpc', headers = {}, body,
			  trailers = { 'grpc-status': '0' } }) {
	stream.respond({ ':status': status, 'content-type': type, ...headers },
		       { waitForTrailers: Boolean(trailers) });
	stream.on('wantTrailers', () => stream.sendTrailers(trailers));
	stream.end(body);
}

// Faults of one call: (stream, message, argument, headers). message is the message of the correct
// response, headers are those of the request.
const streamFaults = {
	'': (stream, message) => answer(stream, { body: frame(message) }),
	// The frame is cut short, but the stream ends normally.
	'cut': (stream, message) => answer(stream, { body: frame(message).subarray(0, 20) }),
	'cut-head': (stream, message) => answer(stream, { body: frame(message).subarray(0, 3) }),
	'no-frame': (stream) => answer(stream, { body: Buffer.alloc(0) }),
	// The stream or the connection breaks off within the frame.
	'reset': (stream, message) => {
		stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
		stream.write(frame(message).subarray(0, 20), () =>
			stream.destroy(new Error('INTERNAL_ERROR')));
	},
	'hangup': (stream, message) => {
		stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
		stream.write(frame(message).subarray(0, 20), () =>
			setTimeout(() => stream.session.destroy(), 50));
	},
	// GOAWAY: the server has processed no stream of this connection.
	'goaway': (stream) => {
		stream.session.goaway(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM, 0);
		setTimeout(() => stream.session.destroy(), 50);
	},
	'late': () => {},
	'late-body': (stream, message) => {
		stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
		stream.write(frame(message).subarray(0, 20));
	},
	'long': (stream, message) =>
		answer(stream, { body: frame(message, { length: message.length + 1 }) }),
	'short': (stream, message) =>
		answer(stream, { body: frame(message, { length: message.length - 1 }) }),
	'huge': (stream, message) =>
		answer(stream, { body: frame(message, { length: 0xffffffff }) }),
	'flood': (stream) =>
		answer(stream, { body: frame(Buffer.alloc(1 << 20, 0x0a)) }),
	'compressed': (stream, message) => answer(stream, { body: frame(message, { flag: 1 }) }),
	'flag': (stream, message) => answer(stream, { body: frame(message, { flag: 7 }) }),
	'trailing': (stream, message) =>
		answer(stream, { body: Buffer.concat([frame(message), Buffer.from('more')]) }),
	'no-protobuf': (stream) => answer(stream, { body: frame(Buffer.from('no protobuf')) }),
	// Unknown fields around the data. The data occurs twice: the last one is valid.
	'unknown-fields': (stream, message) => answer(stream, { body: frame(Buffer.concat([
		Buffer.from('0a0578787878781001', 'hex'), message,
		Buffer.from('18ffffffffffffffffff01250000000029000000000000000032027878' +
			    '3b08013c', 'hex')])) }),
	'no-trailers': (stream, message) =>
		answer(stream, { body: frame(message), trailers: null }),
	'bad-status': (stream, message) =>
		answer(stream, { body: frame(message), trailers: { 'grpc-status': 'banana' } }),
	'status-17': (stream, message) =>
		answer(stream, { body: frame(message), trailers: { 'grpc-status': '17' } }),
	// Only trailers, as sent by servers that fail immediately, with a hostile message.
	'words': (stream) => stream.respond({
		':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5',
		'grpc-message': 'caf%C3%A9%1B[31m%0Ared%FF 100% %e2%80%ae%',
	}, { endStream: true }),
	// Returns headers of the request.
	'headers': (stream, message, argument, headers) => stream.respond({
		':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5',
		'grpc-message': ['content-type', 'te', 'grpc-timeout', 'accept', 'expect']
			.map((name) => headers[name] ?? 'none').join(', '),
	}, { endStream: true }),
	'http': (stream, message, status) =>
		answer(stream, { status: Number(status), type: 'text/html',
				 body: Buffer.from('<h1>no</h1>'), trailers: null }),
	'type': (stream, message, type) =>
		answer(stream, { type, body: frame(message), trailers: null }),
	// An informational response before the final one.
	'early-hints': (stream, message) => {
		stream.additionalHeaders({ ':status': 103, 'link': '<x>' });
		answer(stream, { body: frame(message) });
	},
};

// Faults of the connection: no HTTP/2 at all.
const socketFaults = {
	'http1': (socket) => socket.once('data', () => socket.end(
		'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')),
	'garbage': (socket) => socket.once('data', () => socket.end(Buffer.alloc(64, 0xa5))),
	'silent': () => {},
	'close': (socket) => socket.destroy(),
	'close-later': (socket) => socket.once('data', () => socket.destroy()),
};

function serveStream(key, faultOf, log) {
	return (stream, headers) => {
		const parts = [];
		stream.on('error', () => {});
		stream.on('data', (part) => parts.push(part));
		stream.on('end', () => {
			const method = definition[headers[':path'].split('/').pop()];
			const request = method.requestDeserialize(Buffer.concat(parts).subarray(5));
			const transform = method.path.endsWith('/Seal') ? seal : unseal;
			const fault = faultOf(request.nodeUuid).split(':');
			log(method.path.split('/').pop(), request.nodeUuid, fault.join(':'));
			const act = streamFaults[fault[0]] ?? ((s) => answer(s, { status: 501 }));
			act(stream, method.responseSerialize({ data: transform(key, request.data) }),
			    fault.slice(1).join(':'), headers);
		});
	};
}

export function startRaw(options, key, faultOf, log) {
	const socketFault = socketFaults[options.fault];
	const { tlsCert, tlsKey } = options;
	const tls = tlsCert && { cert: fs.readFileSync(tlsCert), key: fs.readFileSync(tlsKey) };
	let server;

	if (socketFault) {
		server = net.createServer((socket) => {
			socket.on('error', () => {});
			socketFault(socket);
		});
	} else if (options.fault === 'https') {
		// TLS, but ALPN agrees to HTTP/1.1 only.
		server = https.createServer(tls, (request, response) => response.end('hello'));
	} else {
		server = tls ? http2.createSecureServer(tls) : http2.createServer();
		server.on('sessionError', () => {});
		server.on('stream', serveStream(key, faultOf, log));
	}
	return new Promise((resolve, reject) => {
		server.on('error', reject);
		server.listen(options.port, options.listen, () => resolve(server.address().port));
	});
}
