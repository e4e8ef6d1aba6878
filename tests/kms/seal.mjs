// SPDX-License-Identifier: MIT
// Seals and unseals as the reference server does: AES-256-GCM with one key, the nonce before the
// ciphertext and the tag after it. For bytes that it did not seal, it returns random bytes, so that
// clients cannot tell them from sealed ones.
import crypto from 'node:crypto';
import fs from 'node:fs';

export const DATA_SIZE = 32;
const NONCE_SIZE = 12;
const TAG_SIZE = 16;
export const SEALED_SIZE = NONCE_SIZE + DATA_SIZE + TAG_SIZE;

// Reads the key from the file, which is created if it does not exist: a restarted server unseals
// what the previous one has sealed. Without a file, the key lasts as long as the process.
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
