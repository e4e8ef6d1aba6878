// SPDX-License-Identifier: MIT
// A KMS to test against, on the loopback interface:
//   NODE_PATH=$(tools/npm-packages) node tests/kms/server.mjs --port-file FILE [OPTION]...
//
//   --port NUMBER       this port; else one that the kernel chooses
//   --port-file FILE    it is written here once the server listens
//   --listen ADDRESS    127.0.0.1; another one of the loopback interface: ::1
//   --key-path FILE     the 32 bytes that it seals with, made when there are none: another
//                       server with the same file opens what this one sealed
//   --tls-cert FILE --tls-key FILE    TLS instead of HTTP/2 in the clear
//   --client-ca FILE    clients have to show a certificate of this CA
//   --delay MS          the reference server sleeps for 1000 before each answer
//   --rate N            answers N calls a second; others get --rate-status at once
//   --rate-status NAME  RESOURCE_EXHAUSTED, or UNAVAILABLE
//   --log FILE          a line of JSON for each answer: {ms, method, node, status}
//   --lifetime SECONDS  it stops by itself after 3600
//   --fault FAULT       what is wrong with it. A node whose UUID is "fault:FAULT" gets that
//                       fault whatever stands here. Of a KMS with its gRPC right:
//                         late  random  empty  large:BYTES  status:NAME[:WORDS]
//   --raw               faults in frames and in HTTP/2 instead: the names in raw.mjs
//
// It does what the reference server does: 32 bytes are sealed to 60; bytes that it has not
// sealed are answered with 32 random ones; another length is INVALID_ARGUMENT.
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
	throw new Error(`${values.listen} is not of the loopback interface`);

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
// By a rename: who waits for the file never reads half a number.
fs.writeFileSync(`${values['port-file']}.new`, `${port}\n`);
fs.renameSync(`${values['port-file']}.new`, values['port-file']);
setTimeout(() => process.exit(0), Number(values.lifetime) * 1000);
