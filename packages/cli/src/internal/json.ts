const unprintable = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g

/** JSON on one line, with escapes also for characters that are valid in JSON but control a terminal. */
export const jsonLine = (value: object): string =>
  JSON.stringify(value).replace(unprintable, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)
