// services.mail(options) sends; services.mail() gives { send, verify }.
(host, { ArrayIsArray, ObjectFreeze, ObjectKeys, TypeError, Uint8Array, isObject, put }, { tx }) => {
  const scope = tx === undefined ? {} : { tx };
  const { ArrayBuffer } = globalThis;
  const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const base64 = (bytes) => {
    let text = '';
    let at = 0;
    for (; at + 2 < bytes.length; at += 3) {
      const three = (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2];
      text += DIGITS[three >> 18] + DIGITS[(three >> 12) & 63] + DIGITS[(three >> 6) & 63] + DIGITS[three & 63];
    }
    if (at + 1 === bytes.length) text += DIGITS[bytes[at] >> 2] + DIGITS[(bytes[at] & 3) << 4] + '==';
    else if (at < bytes.length) text += DIGITS[bytes[at] >> 2] + DIGITS[((bytes[at] & 3) << 4) | (bytes[at + 1] >> 4)] + DIGITS[(bytes[at + 1] & 15) << 2] + '=';
    return text;
  };
  const copy = (object) => {
    const own = {};
    const names = ObjectKeys(object);
    for (let i = 0; i < names.length; i++) put(own, names[i], object[names[i]]);
    return own;
  };
  /** Bytes go as base64; everything else as it is, for the host to judge. */
  const attachment = (file) => {
    if (!isObject(file) || ArrayIsArray(file)) return file;
    let { content } = file;
    if (content instanceof ArrayBuffer) content = new Uint8Array(content);
    if (!(content instanceof Uint8Array)) return file;
    const own = copy(file);
    put(own, 'content', base64(content));
    put(own, 'encoding', 'base64');
    return own;
  };
  const send = async (options) => {
    if (!isObject(options) || ArrayIsArray(options)) throw new TypeError('mail: the options must be an object with to, subject and text or html, not ' + (ArrayIsArray(options) ? 'an array' : typeof options));
    const own = copy(options);
    if (ArrayIsArray(own.attachments)) {
      const files = [];
      for (let i = 0; i < own.attachments.length; i++) put(files, i, attachment(own.attachments[i]));
      put(own, 'attachments', files);
    }
    return host('mail.send', scope, own);
  };
  const mailer = ObjectFreeze({ send, verify: async () => host('mail.verify', scope) });
  return async (options) => (options === undefined ? mailer : send(options));
}
