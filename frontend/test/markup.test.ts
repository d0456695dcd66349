import { expect, test } from 'vitest'
import { hideStyles, isHidden, readStyle, showStyles } from '../src/webmail/compose/markup'

test.each<[string, string]>([
  ['<p style="color:red">a</p>', '<p data-style="color:red">a</p>'],
  ['<p STYLE = \'color:red\'>a</p>', '<p data-style = \'color:red\'>a</p>'],
  ['<p class=x style=color:red>a</p>', '<p class=x data-style=color:red>a</p>'],
  ['<p title="a style=b">style="x" < style=</p>', '<p title="a style=b">style="x" < style=</p>'],
  ['<p title="x"style="y">', '<p title="x"data-style="y">'],
  ['<p/style=x>', '<p/data-style=x>'],
  ['<p style>', '<p data-style>'],
  ['<style>p{}</style>', '<style>p{}</style>'],
  ['<!-- <p style="x"> --><b style="y">', '<!-- <p style="x"> --><b data-style="y">'],
  ['<p title="unclosed style=x>', '<p title="unclosed style=x>'],
  ['</p style="x">', '</p style="x">'],
  ['', ''], ['<', '<'], ['<p', '<p'], ['<!--', '<!--'],
])('%j', (html, hidden) => {
  expect(hideStyles(html)).toBe(hidden)
  if (!html.includes(' = ') && !html.includes('STYLE')) expect(showStyles(hidden)).toBe(html)
})

test('a long hostile text takes little time', () => {
  const begun = performance.now()
  hideStyles('<a "'.repeat(200_000))
  hideStyles('<a style='.repeat(100_000))
  hideStyles(`<a ${'x '.repeat(500_000)}`)
  hideStyles('<!--'.repeat(100_000))
  expect(performance.now() - begun).toBeLessThan(3000)
})

test('styles', () => {
  expect(readStyle('color: red; position: fixed; background-color: url(x); top: 0')).toEqual([['color', 'red']])
  expect(isHidden('font-size:1px;display: none')).toBe(true)
  expect(isHidden('display:block')).toBe(false)
})
