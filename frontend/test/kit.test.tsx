import { signal } from '@preact/signals'
import { render, type ComponentChildren } from 'preact'
import { act } from 'preact/test-utils'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ApiError } from '../src/api/wire'
import { confirm, Form, DurationField, Loaded, NumberField, SecondFactorCard, Table, Tabs, TextField, useForm, type Column } from '../src/kit'
import { niceTop } from '../src/kit/chart'
import { Confirmations } from '../src/kit/dialog'
import { matching } from '../src/kit/palette'
import { browserName } from '../src/kit/security'
import { start } from '../src/kit/start'
import { filtered, sorted } from '../src/kit/table'
import { resource } from '../src/lib/resource'
import { unsaved } from '../src/lib/router'

let place: HTMLElement
beforeEach(() => {
  place = document.createElement('div')
  document.body.append(place)
})
afterEach(() => {
  void act(() => render(null, place))
  place.remove()
})

test('a script of the operator may change the page', () => {
  place.id = 'app'
  const heard = vi.fn((root: HTMLElement) => root.textContent)
  Object.assign(window, { moxBeforeDisplay: heard })
  start('webtest', 'test', <p>Hello</p>)
  expect([heard.mock.calls, heard.mock.results.map(one => one.value as string)]).toEqual([[[place]], ['Hello']])
  Object.assign(window, { moxBeforeDisplay: undefined })
})

function show(content: ComponentChildren): void {
  void act(() => render(content, place))
}
function all(selector: string): HTMLElement[] {
  return [...place.querySelectorAll<HTMLElement>(selector)]
}
function button(text: string): HTMLButtonElement {
  const found = all('button').find(one => one.textContent?.trim() === text)
  if (!found) throw new Error(`there is no button ${text}`)
  return found as HTMLButtonElement
}
function press(element: HTMLElement | undefined, init: MouseEventInit = {}): void {
  void act(() => { element?.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, ...init })) })
}
function type(selector: string, text: string): void {
  const field = place.querySelector<HTMLInputElement>(selector)
  if (!field) throw new Error(`there is no ${selector}`)
  void act(() => {
    field.value = text
    field.dispatchEvent(new Event('input', { bubbles: true }))
  })
}

async function submit(): Promise<void> {
  await act(async () => {
    place.querySelector('form')?.dispatchEvent(new Event('submit', { bubbles: true, cancelable: true }))
    await Promise.resolve()
  })
}

interface Fruit { name: string, weight: number }
const FRUIT: Fruit[] = [{ name: 'pear 10', weight: 3 }, { name: 'Apple', weight: 20 }, { name: 'pear 9', weight: 100 }]
const COLUMNS: Column<Fruit>[] = [
  { id: 'name', title: 'Name', cell: one => one.name, sort: one => one.name, search: one => one.name },
  { id: 'weight', title: 'Weight', cell: one => one.weight, sort: one => one.weight },
]
const names = (rows: readonly Fruit[]) => rows.map(one => one.name)

describe('tables', () => {
  test('text sorts as people do, numbers by value', () => {
    expect(names(sorted(FRUIT, COLUMNS, 'name', true))).toEqual(['Apple', 'pear 9', 'pear 10'])
    expect(names(sorted(FRUIT, COLUMNS, 'weight', false))).toEqual(['pear 9', 'Apple', 'pear 10'])
    expect(names(sorted(FRUIT, COLUMNS, '', true))).toEqual(names(FRUIT))
  })

  test('filters ignore case', () => {
    expect(names(filtered(FRUIT, COLUMNS, { name: 'PEAR' }))).toEqual(['pear 10', 'pear 9'])
    expect(filtered(FRUIT, COLUMNS, { name: ' ' })).toHaveLength(3)
  })

  test('a heading sorts, and says how', () => {
    show(<Table caption="fruit" columns={COLUMNS} rows={FRUIT} id={one => one.name} />)
    press(button('Weight'))
    press(button('Weight'))
    expect(all('tbody tr td:first-child').map(one => one.textContent)).toEqual(['pear 9', 'Apple', 'pear 10'])
    expect(all('th').map(one => one.getAttribute('aria-sort'))).toEqual(['none', 'descending'])
  })

  test('shift chooses a run of rows, the head all', () => {
    const selection = signal<ReadonlySet<string>>(new Set())
    show(<Table caption="fruit" columns={COLUMNS} rows={FRUIT} id={one => one.name} selection={selection} bulk={<i>what to do</i>} />)
    expect(place.textContent).not.toContain('what to do')
    press(all('tbody input')[0])
    press(all('tbody input')[2], { shiftKey: true })
    expect([...selection.value]).toEqual(['pear 10', 'Apple', 'pear 9'])
    expect(place.textContent).toContain('3 chosen')
    expect(place.textContent).toContain('what to do')
    press(button('Choose none'))
    expect(selection.value.size).toBe(0)
    press(all('thead input')[0])
    expect(selection.value.size).toBe(3)
  })

  test('nothing known, nothing there, and nothing found look different', () => {
    show(<Table caption="fruit" columns={COLUMNS} rows={undefined} id={one => one.name} />)
    expect(all('[role=status]')).toHaveLength(1)
    show(<Table caption="fruit" columns={COLUMNS} rows={[]} id={one => one.name} empty="No fruit yet." />)
    expect(place.textContent).toContain('No fruit yet.')
    const cleared = vi.fn()
    show(<Table caption="fruit" columns={COLUMNS} rows={[]} id={one => one.name} onClearFilters={cleared} />)
    press(button('Clear filters'))
    expect(cleared).toHaveBeenCalledOnce()
  })

  test('a row leads where its first column does, but not from a control in it', () => {
    const opened = vi.fn(), acted = vi.fn()
    show(<Table caption="fruit" columns={COLUMNS} rows={FRUIT} id={one => one.name} onOpen={opened}
      actions={() => <button type="button" onClick={acted}>eat</button>} />)
    press(all('tbody tr')[1]?.querySelectorAll('td')[1])
    expect(opened).toHaveBeenCalledWith(FRUIT[1])
    press(button('eat'))
    expect(acted).toHaveBeenCalledOnce()
    expect(opened).toHaveBeenCalledOnce()
  })

  test('a column without anything in it is left out', () => {
    const columns: Column<Fruit>[] = [...COLUMNS, { id: 'note', title: 'Note', cell: one => one.weight > 50 ? 'heavy' : '', blank: one => one.weight <= 50 }]
    show(<Table caption="fruit" columns={columns} rows={FRUIT.slice(0, 2)} id={one => one.name} />)
    expect(all('th')).toHaveLength(2)
    show(<Table caption="fruit" columns={columns} rows={FRUIT} id={one => one.name} />)
    expect(all('th')).toHaveLength(3)
    expect(all('td.blank')).toHaveLength(2)
  })

  test('a control that changes under the click is still one', () => {
    const opened = vi.fn()
    show(<Table caption="fruit" columns={COLUMNS} rows={FRUIT} id={one => one.name} onOpen={opened}
      actions={() => <button type="button" onClick={event => { event.currentTarget.replaceChildren('eating') }}><i>eat</i></button>} />)
    press(all('tbody i')[0])
    expect(place.textContent).toContain('eating')
    expect(opened).not.toHaveBeenCalled()
  })

  test('of very many rows the first are drawn, all are sorted, filtered and chosen', () => {
    const many = Array.from({ length: 450 }, (_, at) => ({ name: `fruit ${at}`, weight: at }))
    const selection = signal<ReadonlySet<string>>(new Set())
    show(<Table caption="fruit" columns={COLUMNS} rows={many} id={one => one.name} sortedBy="weight" descending selection={selection} />)
    expect(all('tbody tr')).toHaveLength(200)
    expect(all('tbody td.head')[0]?.textContent).toBe('fruit 449')
    expect(all('.tablefoot')[0]?.textContent).toContain('450 rows, 200 shown')
    press(all('thead input')[0])
    expect(selection.value.size).toBe(450)
    press(button('Show more'))
    expect(all('tbody tr')).toHaveLength(450)
    type('thead input[type=search]', 'fruit 44')
    expect(all('tbody tr')).toHaveLength(11)
  })

  test('more rows are loaded on demand', () => {
    const load = vi.fn()
    show(<Table caption="fruit" columns={COLUMNS} rows={FRUIT} id={one => one.name} more={{ load }} />)
    press(button('Load more'))
    expect(load).toHaveBeenCalledOnce()
  })
})

describe('forms', () => {
  const save = vi.fn<(values: { Name: string, Days: number, Keep: number }) => Promise<void>>()
  function Example() {
    const form = useForm({ Name: 'a', Days: 1, Keep: 0 }, {
      save, success: '', check: values => values.Name === '' ? { Name: 'A name, please' } : {},
    })
    return <Form model={form}>
      <TextField label="Name" bind={form.field('Name')} />
      <NumberField label="Days" bind={form.field('Days')} min={0} />
      <DurationField label="Keep" bind={form.field('Keep')} />
    </Form>
  }
  beforeEach(() => {
    save.mockReset()
    save.mockResolvedValue()
  })
  test('saving is offered once something was changed, and discarding takes it back', () => {
    show(<Example />)
    expect(all('.savebar')).toHaveLength(0)
    expect(unsaved.size).toBe(0)
    type('input', 'b')
    expect(all('.savebar')).toHaveLength(1)
    expect(unsaved.size).toBe(1)
    press(button('Discard'))
    expect(place.querySelector('input')?.value).toBe('a')
    expect(unsaved.size).toBe(0)
  })

  test('values that come meanwhile replace nothing that was typed, and are shown once it is given up', async () => {
    function Live({ initial }: { initial: { Name: string, Version: number } }) {
      const form = useForm(initial, { save: values => save({ Name: values.Name, Days: values.Version, Keep: 0 }), success: '' })
      return <Form model={form}><TextField label="Name" bind={form.field('Name')} /></Form>
    }
    const shown = () => place.querySelector('input')?.value
    show(<Live initial={{ Name: 'a', Version: 1 }} />)
    show(<Live initial={{ Name: 'b', Version: 2 }} />)
    expect(shown()).toBe('b')
    type('input', 'typed')
    show(<Live initial={{ Name: 'c', Version: 3 }} />)
    expect(shown()).toBe('typed')
    // What is saved says what it was made from, so that the server can tell.
    save.mockRejectedValueOnce(new ApiError('user:error', 'changed meanwhile'))
    await submit()
    expect(save).toHaveBeenLastCalledWith({ Name: 'typed', Days: 2, Keep: 0 })
    press(button('Discard'))
    expect(shown()).toBe('c')
    type('input', 'again')
    await submit()
    expect(save).toHaveBeenLastCalledWith({ Name: 'again', Days: 3, Keep: 0 })
  })

  test('values are saved, and then count as saved', async () => {
    show(<Example />)
    type('input', 'b')
    type('.field:nth-of-type(3) input', '2d')
    await submit()
    expect(save).toHaveBeenCalledWith({ Name: 'b', Days: 1, Keep: 2 * 86400 * 1e9 })
    expect(all('.savebar')).toHaveLength(0)
  })

  test('what is no value is told at its field and not sent', async () => {
    show(<Example />)
    type('.field:nth-of-type(2) input', 'many')
    await submit()
    expect(save).not.toHaveBeenCalled()
    const field = all('.field:nth-of-type(2) input')[0]
    expect(field?.getAttribute('aria-invalid')).toBe('true')
    expect(document.getElementById(field?.getAttribute('aria-describedby') ?? '')?.textContent).toContain('at least 0')
    type('.field:nth-of-type(2) input', '7')
    await submit()
    expect(save).toHaveBeenCalledWith({ Name: 'a', Days: 7, Keep: 0 })
  })

  test('the check of the page comes before the server', async () => {
    show(<Example />)
    type('input', '')
    await submit()
    expect(save).not.toHaveBeenCalled()
    expect(all('.error').map(one => one.textContent)).toEqual(['A name, please'])
  })

  test('what the server refuses stays unsaved and is told', async () => {
    save.mockRejectedValue(new ApiError('user:error', 'the name is taken'))
    show(<Example />)
    type('input', 'b')
    await submit()
    expect(all('[role=alert]').map(one => one.textContent)).toEqual(['The name is taken'])
    expect(all('.savebar')).toHaveLength(1)
  })

  test('a form that went away leaves nothing unsaved behind', () => {
    show(<Example />)
    type('input', 'b')
    show(<p />)
    expect(unsaved.size).toBe(0)
  })
})

describe('questions', () => {
  test('the worst ones want the name typed', async () => {
    show(<Confirmations />)
    let answer: boolean | undefined
    void act(() => { void confirm({ title: 'Remove?', action: 'Remove', type: 'example.org' }).then(yes => { answer = yes }) })
    expect(button('Remove').disabled).toBe(true)
    type('input', 'example.org')
    expect(button('Remove').disabled).toBe(false)
    await act(async () => {
      place.querySelector('form')?.dispatchEvent(new Event('submit', { bubbles: true, cancelable: true }))
      await Promise.resolve()
    })
    expect(answer).toBe(true)
    expect(all('dialog')).toHaveLength(0)
  })

  test('Cancel is no', async () => {
    show(<Confirmations />)
    let answer: boolean | undefined
    void act(() => { void confirm({ title: 'Drop?', action: 'Drop', consequences: ['It is gone'] }).then(yes => { answer = yes }) })
    expect(all('li').map(one => one.textContent)).toEqual(['It is gone'])
    press(button('Cancel'))
    await Promise.resolve()
    expect(answer).toBe(false)
  })
})

test('tabs are walked by arrow keys', () => {
  const current = signal<string | undefined>(undefined)
  const tabs = [{ id: 'a', title: 'A', view: () => <p>first</p> }, { id: 'b', title: 'B', view: () => <p>second</p> }]
  function Example() {
    return <Tabs label="parts" tabs={tabs} current={current.value} onChange={id => { current.value = id }} />
  }
  show(<Example />)
  expect(all('[role=tab]').map(one => [one.getAttribute('aria-selected'), one.tabIndex])).toEqual([['true', 0], ['false', -1]])
  void act(() => { all('[role=tablist]')[0]?.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true })) })
  expect(current.value).toBe('b')
  expect(all('[role=tabpanel]')[0]?.textContent).toBe('second')
  expect(document.activeElement?.textContent).toBe('B')
})

test('something loaded: a skeleton, a failure with another try, a value', async () => {
  let fails = true
  const one = resource(() => fails ? Promise.reject(new ApiError('user:error', 'not now')) : Promise.resolve('here'))
  show(<Loaded of={one}>{value => <b>{value}</b>}</Loaded>)
  expect(all('.skeleton')).toHaveLength(1)
  await act(() => one.reload())
  expect(all('[role=alert]')[0]?.textContent).toContain('Not now')
  fails = false
  await act(async () => {
    press(button('Try again'))
    await Promise.resolve()
  })
  expect(all('b').map(value => value.textContent)).toEqual(['here'])
})

test('only the last of several fetches counts', async () => {
  const answers: ((value: string) => void)[] = []
  const one = resource(() => new Promise<string>(resolve => answers.push(resolve)))
  const both = [one.reload(), one.reload()]
  answers[1]?.('second')
  answers[0]?.('first')
  await Promise.all(both)
  expect(one.data.value).toBe('second')
})

test.each([[0, 2], [1, 2], [3, 4], [5, 10], [11, 20], [400, 400], [401, 1000]])('a chart up to %d ends at %d', (value, top) =>
  expect(niceTop(value)).toBe(top))

const no = () => Promise.reject(new Error('not here'))
const NO_PASSKEYS = { ask: no, begin: no, add: no, rename: no, remove: no }

describe('access', () => {
  test.each([
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox on Linux'],
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36 Edg/142.0', 'Edge on Windows'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1 Version/18.1 Mobile Safari/604.1', 'Safari on iPhone'],
    ['curl/8.5.0', 'curl/8.5.0'],
    ['', 'unknown'],
  ])('%s is called %s', (agent, name) => expect(browserName(agent)).toBe(name))

  test('recovery codes are shown once, and only who says so goes on', async () => {
    const enabled = vi.fn(() => Promise.resolve(['one-code', 'other-code']))
    show(<SecondFactorCard load={() => Promise.resolve({ TOTP: false, Created: null, RecoveryCodesLeft: 0, Passkeys: [] })} begin={() => Promise.resolve({ Secret: 'ABCDEFGH', URI: 'otpauth:', QRCode: 'data:,' })}
      enable={enabled} disable={() => Promise.resolve()} renew={() => Promise.resolve([])} passkeys={NO_PASSKEYS} />)
    await vi.waitFor(() => press(button('Set up')))
    await vi.waitFor(() => type('dialog input', '12'))
    await submit()
    expect(all('.error').map(one => one.textContent)).toEqual(['The six digits that the program shows'])
    type('dialog input', '123 456')
    await submit()
    expect(enabled).toHaveBeenCalledWith('ABCDEFGH', '123456', undefined)
    await vi.waitFor(() => expect(all('.codes li').map(one => one.textContent)).toEqual(['one-code', 'other-code']))
    void act(() => { all('dialog')[0]?.dispatchEvent(new Event('cancel', { cancelable: true })) })
    expect(all('.codes')).toHaveLength(1)
    press(button('I have them'))
    expect(all('.codes')).toHaveLength(0)
  })
})

test('the palette finds by words, beginnings first', () => {
  const commands = ['Webhooks', 'Queue', 'hook rules'].map(title => ({ title, icon: 'queue' as const, kind: 'page', run: () => {} }))
  expect(matching(commands, 'hook').map(one => one.title)).toEqual(['hook rules', 'Webhooks'])
  expect(matching(commands, 'page queue').map(one => one.title)).toEqual(['Queue'])
})
