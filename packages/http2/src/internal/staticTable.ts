/**
 * The static table of RFC 7541 appendix A.
 */

const text = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`

export const size = 61

/** Names by index; index 0 is unused. */
export const names: Array<string> = [""]

/** Values by index; index 0 is unused. */
export const values: Array<string> = [""]

for (const line of text.split("\n")) {
  const space = line.indexOf(" ")
  names.push(space < 0 ? line : line.slice(0, space))
  values.push(space < 0 ? "" : line.slice(space + 1))
}

const nameIndex = new Map<string, number>()
const pairIndex = new Map<string, number>()
for (let i = size; i >= 1; i--) {
  nameIndex.set(names[i] as string, i)
  pairIndex.set(`${names[i] as string}\0${values[i] as string}`, i)
}

/** The lowest index with this name, or 0. */
export const findName = (name: string): number => nameIndex.get(name) ?? 0

/** The index of this name and value, or 0. */
export const findPair = (name: string, value: string): number => pairIndex.get(`${name}\0${value}`) ?? 0
