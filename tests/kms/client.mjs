// SPDX-License-Identifier: MIT
// Calls a KMS with gRPC's JavaScript library, as Talos would, for comparison with mortise's client.
//   NODE_PATH=$(tools/npm-packages) node tests/kms/client.mjs HOST:PORT seal|unseal UUID BASE64
import { createRequire } from 'node:module';
import { definition } from './service.mjs';

const require = createRequire(import.meta.url);
const grpc = require('@grpc/grpc-js');

const [address, method, uuid, data] = process.argv.slice(2);
const Client = grpc.makeGenericClientConstructor(definition, 'KMSService');
const client = new Client(address, grpc.credentials.createInsecure());
client[method]({ nodeUuid: uuid, data: Buffer.from(data, 'base64') }, (error, answer) => {
	if (error) {
		console.error(error.message);
		process.exitCode = 1;
	} else {
		console.log(answer.data.toString('base64'));
	}
	client.close();
});
