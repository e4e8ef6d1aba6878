// SPDX-License-Identifier: MIT
// The KMS, served by gRPC's JavaScript library, with the faults that a KMS can have when its gRPC
// is correct.
import { createRequire } from 'node:module';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import url from 'node:url';
import { DATA_SIZE, SEALED_SIZE, seal, unseal } from './seal.mjs';

// require searches NODE_PATH for these modules, import does not.
const require = createRequire(import.meta.url);
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const here = path.dirname(url.fileURLToPath(import.meta.url));
export const definition = loader.loadSync(path.join(here, 'kms.proto'))['sidero.kms.KMSService'];

// Allows at most rate calls within any second.
function limiter(rate) {
	const times = [];
	return () => {
		if (!rate)
			return true;
		const now = performance.now();
		while (times.length && now - times[0] >= 1000)
			times.shift();
		if (times.length >= rate)
			return false;
		times.push(now);
		return true;
	};
}

// Responds with a fault, such as "status:NOT_FOUND" or "status:NOT_FOUND:message". Returns false if
// there is no fault, and the caller must respond.
function answerFault(fault, callback) {
	const [kind, ...rest] = fault.split(':');
	switch (kind) {
	case '':
		return false;
	case 'late':
		return true;
	case 'random':
		callback(null, { data: crypto.randomBytes(DATA_SIZE) });
		return true;
	case 'empty':
		callback(null, {});
		return true;
	case 'large':
		callback(null, { data: crypto.randomBytes(Number(rest[0])) });
		return true;
	case 'status':
		callback({ code: grpc.status[rest[0]], details: rest.slice(1).join(':') });
		return true;
	default:
		callback({ code: grpc.status.INVALID_ARGUMENT, details: `unknown fault ${fault}` });
		return true;
	}
}

// options: see server.mjs. faultOf(nodeUuid) returns a fault, log(method, node, status) logs a
// response.
export function startService(options, key, faultOf, log) {
	const mayAnswer = limiter(options.rate);

	const serve = (method, size, transform) => (call, callback) => {
		const { nodeUuid, data } = call.request;
		const done = (error, response) => {
			log(method, nodeUuid, error ? grpc.status[error.code] : 'OK');
			callback(error, response);
		};
		if (!mayAnswer())
			return done({ code: grpc.status[options.rateStatus], details: 'busy' });
		const answer = () => {
			const fault = faultOf(nodeUuid);
			// It is never answered, but it has been asked.
			if (fault === 'late')
				log(method, nodeUuid, fault);
			if (answerFault(fault, done))
				return;
			if (data.length !== size)
				return done({ code: grpc.status.INVALID_ARGUMENT,
					      details: 'incorrect data length' });
			done(null, { data: transform(key, data) });
		};
		return options.delay ? setTimeout(answer, options.delay) : answer();
	};

	const server = new grpc.Server();
	server.addService(definition, {
		Seal: serve('Seal', DATA_SIZE, seal),
		Unseal: serve('Unseal', SEALED_SIZE, unseal),
	});
	const { tlsCert, tlsKey, clientCa } = options;
	const credentials = tlsCert ? grpc.ServerCredentials.createSsl(
		clientCa ? fs.readFileSync(clientCa) : null,
		[{ private_key: fs.readFileSync(tlsKey), cert_chain: fs.readFileSync(tlsCert) }],
		Boolean(clientCa)) : grpc.ServerCredentials.createInsecure();
	return new Promise((resolve, reject) => {
		server.bindAsync(`${options.listen}:${options.port}`, credentials,
				 (error, port) => error ? reject(error) : resolve(port));
	});
}
