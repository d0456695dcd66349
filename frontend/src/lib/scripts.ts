// Which scripts a name's letters are of (Unicode Technical Standard 39, §5, much simplified).

const SCRIPTS = ['Latin', 'Cyrillic', 'Greek', 'Armenian', 'Hebrew', 'Arabic', 'Georgian', 'Hangul', 'Thai', 'Devanagari']
  .map(name => new RegExp(`\\p{Script=${name}}`, 'u'))
/** Chinese and Japanese are written with several scripts, and with Latin letters between them. */
const EAST_ASIAN = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}]/u

/** Whether one label of a name has letters of more than one script. */
export function mixedScripts(text: string): boolean {
  return text.split('.').some(label => {
    const count = SCRIPTS.filter(script => script.test(label)).length
    return count > 1 || (count === 1 && EAST_ASIAN.test(label) && !SCRIPTS[0]?.test(label) && !/\p{Script=Hangul}/u.test(label))
  })
}
