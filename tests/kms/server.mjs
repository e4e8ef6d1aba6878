// SPDX-License-Identifier: MIT
// A KMS for tests, on the loopback interface:
//   NODE_PATH=$(tools/npm-packages) node tests/kms/server.mjs --port-file FILE [OPTION]...
//
//   --port NUMBER       listen on this port (default: the kernel chooses one)
//   --port-file FILE    write the port to FILE once the server listens
//   --listen ADDRESS    listen on this loopback address, such as ::1 (default: 127.0.0.1)
//   --key-path FILE     seal with the 32 bytes in FILE, which is created if it does not exist:
//                       another server with the same file unseals what this one has sealed
//   --tls-cert FILE --tls-key FILE    use TLS (default: HTTP/2 in the clear)
//   --client-ca FILE    require a client certificate of this CA
//   --delay MS          wait before each response (the reference server waits for 1000 ms)
//   --rate N            answer N calls per second, and reject others immediately with --rate-status
//   --rate-status NAME  RESOURCE_EXHAUSTED (default) or UNAVAILABLE
//   --log FILE          append a line of JSON for each response: {ms, method, node, status}
//   --lifetime SECONDS  exit after this time (default: 3600)
//   --fault FAULT       respond with this fault. A node whose UUID is "fault:FAULT" gets that
//                       fault instead. Faults of a KMS whose gRPC is correct:
//                         late  random  empty  large:BYTES  status:NAME[:MESSAGE]
//   --raw               faults in frames and in HTTP/2 instead; raw.mjs has their names
//
// It behaves like the reference server: it seals 32 bytes to 60, returns 32 random bytes for bytes
// that it has not sealed, and INVALID_ARGUMENT for another length.
import fs from 'node:fs';
import { parseArgs } from 'node:util';
import { loadKey } from './seal.mjs';
import { startService } from './service.mjs';
import { startRaw } from './raw.mjs';

const { values } = parseArgs({ options: {
	'port-file': { type: 'string' },
	'port': { type: 'string', default: '0' },
	'listen': { type: 'string', default: '127.0.0.1' },
	'key-path': { type: 'string' },
	'tls-cert': { type: 'string' },
	'tls-key': { type: 'string' },
	'client-ca': { type: 'string' },
	'delay': { type: 'string', default: '0' },
	'rate': { type: 'string', default: '0' },
	'rate-status': { type: 'string', default: 'RESOURCE_EXHAUSTED' },
	'log': { type: 'string' },
	'lifetime': { type: 'string', default: '3600' },
	'fault': { type: 'string', default: '' },
	'raw': { type: 'boolean', default: false },
} });

if (!/^(127\.[0-9.]+|::1)$/.test(values.listen))
	throw new Error(`${values.listen} is not a loopback address`);

const options = {
	listen: values.listen.includes(':') && !values.raw ? `[${values.listen}]` : values.listen,
	port: Number(values.port),
	tlsCert: values['tls-cert'],
	tlsKey: values['tls-key'],
	clientCa: values['client-ca'],
	delay: Number(values.delay),
	rate: Number(values.rate),
	rateStatus: values['rate-status'],
	fault: values.fault,
};

const faultOf = (node) => node.startsWith('fault:') ? node.slice('fault:'.length) : options.fault;
const logFile = values.log ? fs.openSync(values.log, 'a') : null;
const log = (method, node, status) => {
	if (logFile !== null)
		fs.writeSync(logFile, `${JSON.stringify({ ms: Date.now(), method, node, status })}\n`);
};

const start = values.raw ? startRaw : startService;
const port = await start(options, loadKey(values['key-path']), faultOf, log);
// Renamed into place, so that a waiting process never reads half a number.
fs.writeFileSync(`${values['port-file']}.new`, `${port}\n`);
fs.renameSync(`${values['port-file']}.new`, values['port-file']);
setTimeout(() => process.exit(0), Number(values.lifetime) * 1000);
