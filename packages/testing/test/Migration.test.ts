import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), "utf8")
const all = (text: string, pattern: RegExp): ReadonlyArray<string> =>
  Array.from(text.matchAll(pattern), ([, name = ""]) => name)

const guide = read("docs/migration.md")
/** What a section says: every word inside backticks. */
const words = (heading: string): ReadonlySet<string> => {
  const section = guide.slice(guide.indexOf(`\n## ${heading}\n`) + 1)
  const end = section.indexOf("\n## ")
  const text = (end < 0 ? section : section.slice(0, end)).replace(/```[\s\S]*?```/g, "")
  return new Set(all(text, /`([^`]+)`/g).flatMap((code) => code.match(/\w+/g) ?? []))
}

const assertTold = (heading: string, names: ReadonlyArray<string>, least: number): void => {
  const told = words(heading)
  const distinct = new Set(names)
  assert.isAtLeast(distinct.size, least)
  assert.deepStrictEqual([...distinct].filter((name) => !told.has(name)), [])
}

describe("the guide for those who come from another library tells every name of it", () => {
  describe("@parse/node-apn", () => {
    const folder = "node_modules/@parse/node-apn"
    const types = read(`${folder}/index.d.ts`)
    const members = (name: string): ReadonlyArray<string> => {
      const start = types.search(new RegExp(`(interface|class) ${name} `))
      const body = types.slice(start, types.indexOf("\n}", start))
      return all(body, /^ {2}(?:public )?(\w+)\??: /gm)
    }

    it("the version in the guide is the installed one", () => {
      assert.include(guide, `node-apn as of ${String(JSON.parse(read(`${folder}/package.json`)).version)}`)
    })
    it("options of the constructors", () => {
      const config = read(`${folder}/lib/config.js`)
      const defaults = config.slice(
        config.indexOf("const config = {"),
        config.indexOf("};", config.indexOf("const config = {"))
      )
      assertTold("@parse/node-apn", [
        ...members("ProviderOptions"),
        ...members("MultiProviderOptions"),
        ...members("ProviderToken"),
        ...all(defaults, /^ {6}(\w+):/gm),
        ...all(read(`${folder}/lib/credentials/certificate/load.js`), /credentials\.(\w+)/g)
      ], 22)
    })
    it("properties of a notification", () => {
      const source = read(`${folder}/lib/notification/index.js`)
      assertTold("@parse/node-apn", [
        ...members("Notification"),
        ...all(read(`${folder}/lib/notification/apsProperties.js`), /^ {2}set (\w+)\(/gm),
        ...all(source, /this\.(id|collapseId|requestId|channelId|topic|pushType|rawPayload|encoding)\b/g),
        ...all(source, /Notification\.prototype\.(length|compile|headers) =/g)
      ], 45)
    })
    it("methods", () => {
      assertTold("@parse/node-apn", all(types, /^ {2}(send|manageChannels|broadcast|setLogger|shutdown)\(/gm), 5)
    })
  })

  describe("apns2", () => {
    const folder = "node_modules/apns2/dist"
    const types = (file: string): string => read(`${folder}/${file}`)
    const fields = (text: string, from: string): ReadonlyArray<string> => {
      const start = text.indexOf(from)
      return all(text.slice(start, text.indexOf("\n}", start)), /^ {4}(?:readonly |get )?(\w+)(?:\(\))?\??: /gm)
    }
    const notification = types("notifications/notification.d.ts")

    it("the version in the guide is the installed one", () => {
      assert.include(guide, `apns2 as of ${String(JSON.parse(read("node_modules/apns2/package.json")).version)}`)
    })
    it("options of the constructors", () => {
      assertTold("apns2", [
        ...fields(types("apns.d.ts"), "interface ApnsOptions"),
        ...fields(notification, "interface NotificationOptions"),
        ...fields(notification, "interface CriticalAlertSoundPayload")
      ], 22)
    })
    it("methods, properties and errors", () => {
      assertTold("apns2", [
        ...all(types("apns.d.ts"), /^ {4}(sendMany|send|ping|close|destroy)\(/gm),
        ...fields(notification, "class Notification"),
        ...fields(types("errors.d.ts"), "class ApnsError"),
        "buildApnsOptions",
        ...readdirSync(join(root, folder, "notifications/constants")).filter((name) => name.endsWith(".d.ts"))
          .flatMap((name) => all(types(`notifications/constants/${name}`), /export declare const (\w+)/g))
      ], 15)
    })
  })
})
