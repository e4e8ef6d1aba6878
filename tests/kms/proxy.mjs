// SPDX-License-Identifier: MIT
// An HTTP proxy that supports only CONNECT, and connects only to the loopback interface:
//   node tests/kms/proxy.mjs --port-file FILE [--log FILE] [--refuse STATUS] [--lifetime SECONDS]
// It logs one line for each CONNECT.
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: {
	'port-file': { type: 'string' },
	'log': { type: 'string' },
	'refuse': { type: 'string' },
	'lifetime': { type: 'string', default: '3600' },
} });

const server = http.createServer((request, response) => {
	response.writeHead(405).end();
});
server.on('connect', (request, client, head) => {
	if (values.log)
		fs.appendFileSync(values.log, `${request.method} ${request.url}\n`);
	client.on('error', () => {});
	if (values.refuse)
		return client.end(`HTTP/1.1 ${values.refuse} No\r\nContent-Length: 0\r\n\r\n`);
	const upstream = net.connect(Number(request.url.split(':').pop()), '127.0.0.1', () => {
		client.write('HTTP/1.1 200 Connected\r\n\r\n');
		upstream.write(head);
		upstream.pipe(client).pipe(upstream);
	});
	upstream.on('error', () => client.destroy());
	client.on('close', () => upstream.destroy());
});
server.listen(0, '127.0.0.1', () => {
	fs.writeFileSync(`${values['port-file']}.new`, `${server.address().port}\n`);
	fs.renameSync(`${values['port-file']}.new`, values['port-file']);
});
setTimeout(() => process.exit(0), Number(values.lifetime) * 1000);
