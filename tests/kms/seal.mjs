// SPDX-License-Identifier: MIT
// What the reference server does with bytes: AES-256-GCM under one key, nonce before and tag
// behind; bytes that it did not seal get random ones back, so that nobody learns which they are.
import crypto from 'node:crypto';
import fs from 'node:fs';

export const DATA_SIZE = 32;
const NONCE_SIZE = 12;
const TAG_SIZE = 16;
export const SEALED_SIZE = NONCE_SIZE + DATA_SIZE + TAG_SIZE;

// The key in file, made when there is none, so that a server started anew opens what its
// forerunner sealed. No file: a key of this process.
export function loadKey(file) {
	if (!file)
		return crypto.randomBytes(32);
	if (!fs.existsSync(file))
		fs.writeFileSync(file, crypto.randomBytes(32), { mode: 0o600, flag: 'wx' });
	return fs.readFileSync(file);
}

export function seal(key, data) {
	const nonce = crypto.randomBytes(NONCE_SIZE);
	const cipher = crypto.createCipheriv('aes-256-gcm', key, nonce);
	return Buffer.concat([nonce, cipher.update(data), cipher.final(), cipher.getAuthTag()]);
}

export function unseal(key, sealed) {
	const nonce = sealed.subarray(0, NONCE_SIZE);
	const decipher = crypto.createDecipheriv('aes-256-gcm', key, nonce);
	decipher.setAuthTag(sealed.subarray(-TAG_SIZE));
	const data = decipher.update(sealed.subarray(NONCE_SIZE, -TAG_SIZE));
	try {
		return Buffer.concat([data, decipher.final()]);
	} catch {
		return crypto.randomBytes(DATA_SIZE);
	}
}
