// Table: rows of one kind. A column may sort (`sort`), be filtered here (`search`) or by the server (`filter`: a control
// of yours). `selection` adds boxes, with shift for a run of rows, and `bulk` what can be done with the chosen.
// `href` or `onOpen` make rows lead somewhere; the first column then is the link. `more` loads further rows. At the
// width of a phone each row is a card whose heading is the first column.
// Empty: what is shown where nothing is. Skeleton: what is shown until something is known.

import type { Signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { count, plural } from '../lib/format'
import { Button } from './button'
import { Icon, type IconName } from './icon'
import './table.css'

export interface Column<Row> {
  id: string
  title: string
  cell: (row: Row) => ComponentChildren
  /** What rows are sorted by, here; undefined: the column does not sort. */
  sort?: (row: Row) => string | number
  /** The text a filter of this column looks into, here. */
  search?: (row: Row) => string
  /** A control in the column's head, for rows that the server filters. */
  filter?: ComponentChildren
  /** Numbers. */
  end?: boolean
  /** As narrow as its content, which does not break. */
  fit?: boolean
  /** At least as wide as a name in the DNS. */
  wide?: boolean
  /** Not shown in a card. */
  minor?: boolean
  /** Where the cell has nothing: not shown in a card, and the column not at all if that is so of all rows. */
  blank?: (row: Row) => boolean
}

/** Rows that come sorted, and who brings others. */
export interface Sorting {
  by: string
  ascending: boolean
  columns: readonly string[]
  onSort: (by: string, ascending: boolean) => void
}

interface Props<Row> {
  /** What the rows are: read out, and counted below. */
  caption: string
  columns: readonly Column<Row>[]
  rows: readonly Row[] | undefined
  id: (row: Row) => string
  empty?: ComponentChildren
  href?: (row: Row) => string
  onOpen?: (row: Row) => void
  actions?: (row: Row) => ComponentChildren
  selection?: Signal<ReadonlySet<string>>
  bulk?: ComponentChildren
  sorting?: Sorting
  sortedBy?: string
  descending?: boolean
  more?: { load: () => unknown } | undefined
  /** Filters of the server are set: nothing found is not nothing there. */
  onClearFilters?: (() => void) | undefined
}

/** Rows that are drawn before somebody asks for more: a thousand take a phone a second. */
const SHOWN_ROWS = 200

export function Table<Row>(props: Props<Row>) {
  const { caption, id, selection, sorting, actions } = props
  const [own, setOwn] = useState({ by: props.sortedBy ?? '', ascending: !props.descending })
  const [texts, setTexts] = useState<Readonly<Record<string, string>>>({})
  const [filtersOpen, setFiltersOpen] = useState(false)
  const [most, setMost] = useState(SHOWN_ROWS)
  const anchor = useRef<number | null>(null)
  if (!props.rows) return <Skeleton />

  const known = props.rows
  const columns = props.columns.filter(({ blank, filter, search }) => !blank || filter || search || known.length === 0 || !known.every(blank))
  const order = sorting ?? own
  const rows = sorting ? props.rows : sorted(filtered(props.rows, columns, texts), columns, own.by, own.ascending)
  const sortable = columns.filter(column => sorting ? sorting.columns.includes(column.id) : column.sort)
  const hasFilters = columns.some(column => column.filter) || (columns.some(column => column.search) && props.rows.length > 10) ||
    Object.values(texts).some(text => text !== '')
  const isFiltered = Object.values(texts).some(text => text !== '') || props.onClearFilters !== undefined
  if (known.length === 0 && !isFiltered && !columns.some(column => column.filter)) return <Empty>{props.empty ?? 'Nothing here.'}</Empty>
  const clear = () => {
    setTexts({})
    props.onClearFilters?.()
  }
  const sort = (by: string) => {
    const ascending = order.by === by ? !order.ascending : true
    if (sorting) sorting.onSort(by, ascending)
    else setOwn({ by, ascending })
  }
  const chosen = selection?.value ?? new Set<string>()
  const choose = (index: number, on: boolean, run: boolean) => {
    if (!selection) return
    const next = new Set(chosen), from = run && anchor.current !== null ? anchor.current : index
    for (const row of rows.slice(Math.min(from, index), Math.max(from, index) + 1))
      if (on) next.add(id(row))
      else next.delete(id(row))
    anchor.current = index
    selection.value = next
  }
  const hidden = sorting ? 0 : Math.max(0, rows.length - most)
  const allChosen = rows.length > 0 && rows.every(row => chosen.has(id(row)))
  const leads = props.href !== undefined || props.onOpen !== undefined
  const open = (event: MouseEvent) => {
    const target = event.target as Element
    // What is no longer there was in a button that has changed by being pressed.
    if (!target.isConnected || target.closest('a, button, input, select, label')) return
    if (window.getSelection()?.isCollapsed !== false) (event.currentTarget as HTMLElement).querySelector<HTMLElement>('[data-leads]')?.click()
  }
  const head = (row: Row, content: ComponentChildren) =>
    props.href ? <a href={props.href(row)} data-leads>{content}</a>
      : props.onOpen ? <button type="button" class="linklike" data-leads onClick={() => props.onOpen?.(row)}>{content}</button>
        : content

  return <div class="tablebox">
    {selection && chosen.size > 0 && <div class="bulk" role="toolbar" aria-label={`Chosen ${caption}`}>
      <span class="strong">{count(chosen.size)} chosen</span>
      {props.bulk}
      <Button tone="quiet" small onPress={() => { selection.value = new Set() }}>Choose none</Button>
    </div>}
    {(hasFilters || sortable.length > 0) && <div class="tabletools">
      {hasFilters && <Button small icon="filter" expanded={filtersOpen} onPress={() => setFiltersOpen(!filtersOpen)}>Filters</Button>}
      {sortable.length > 0 && <label>Sort by <select class="input small" value={order.by} onChange={event => sort(event.currentTarget.value)}>
        {order.by === '' && <option value="">–</option>}
        {sortable.map(column => <option key={column.id} value={column.id} selected={column.id === order.by}>{column.title}</option>)}
      </select></label>}
      {sortable.length > 0 && order.by !== '' && <Button small square icon={order.ascending ? 'up' : 'down'} onPress={() => sort(order.by)}>
        {order.ascending ? 'Ascending' : 'Descending'}
      </Button>}
    </div>}
    <div class="tablescroll">
      <table class="table" role="table" aria-label={caption}>
        <thead role="rowgroup" class={filtersOpen ? 'open' : ''}>
          <tr role="row">
            {selection && <th class="tick" role="columnheader"><AllBox all={allChosen} some={chosen.size > 0}
              onChange={on => {
                selection.value = on ? new Set([...chosen, ...rows.map(id)]) : new Set()
              }} /></th>}
            {columns.map(column => <th key={column.id} role="columnheader" class={look(column)} scope="col" {...sortState(order, column, sortable)}>
              {sortable.includes(column)
                ? <button type="button" onClick={() => sort(column.id)}>{column.title}
                  <SortMark on={order.by === column.id} ascending={order.by !== column.id || order.ascending} /></button>
                : column.title}
            </th>)}
            {actions && <th class="fit" role="columnheader"><span class="hidden">Actions</span></th>}
          </tr>
          {hasFilters && <tr role="row" class="filters">
            {selection && <th class="tick" role="cell" />}
            {columns.map(column => <th key={column.id} role="cell" data-title={column.title}>
              {column.filter ?? (column.search && <input class="input small" type="search" aria-label={`Filter by ${column.title}`}
                placeholder="Filter" value={texts[column.id] ?? ''}
                onInput={event => setTexts({ ...texts, [column.id]: event.currentTarget.value })} />)}
            </th>)}
            {actions && <th role="cell" />}
          </tr>}
        </thead>
        <tbody role="rowgroup">
          {rows.slice(0, sorting ? undefined : most).map((row, index) => {
            const key = id(row)
            return <tr key={key} role="row" class={`${leads ? 'leads' : ''}${chosen.has(key) ? ' chosen' : ''}`} onClick={leads ? open : undefined}>
              {selection && <td class="tick" role="cell"><input type="checkbox" aria-label="Choose this row" checked={chosen.has(key)}
                onClick={event => choose(index, event.currentTarget.checked, event.shiftKey)} /></td>}
              {columns.map((column, place) => <td key={column.id} role="cell" data-title={column.title}
                class={`${look(column)}${place === 0 ? ' head' : ''}${column.blank?.(row) ? ' blank' : ''}`}>
                <div class="cell">{place === 0 ? head(row, column.cell(row)) : column.cell(row)}</div>
              </td>)}
              {actions && <td class="fit act" role="cell"><div class="row end">{actions(row)}</div></td>}
            </tr>
          })}
        </tbody>
      </table>
    </div>
    {rows.length === 0 && (isFiltered
      ? <Empty icon="filter">Nothing matches.<Button small onPress={clear}>Clear filters</Button></Empty>
      : <Empty>{props.empty ?? 'Nothing here.'}</Empty>)}
    {rows.length > 0 && (props.more !== undefined || rows.length > 10) && <div class="tablefoot">
      <span>{rows.length === props.rows.length ? plural(rows.length, 'row') : `${count(rows.length)} of ${plural(props.rows.length, 'row')}`}
        {props.more ? ', more to load' : hidden > 0 ? `, ${count(most)} shown` : ''}</span>
      {props.more && <Button small onPress={() => props.more?.load()}>Load more</Button>}
      {hidden > 0 && <Button small onPress={() => setMost(most + 5 * SHOWN_ROWS)}>Show more</Button>}
    </div>}
  </div>
}

function AllBox({ all, some, onChange }: { all: boolean, some: boolean, onChange: (on: boolean) => void }) {
  const box = useRef<HTMLInputElement>(null)
  useEffect(() => { if (box.current) box.current.indeterminate = some && !all }, [all, some])
  return <input ref={box} type="checkbox" checked={all} aria-label="Choose all rows" onChange={event => onChange(event.currentTarget.checked)} />
}

function SortMark({ on, ascending }: { on: boolean, ascending: boolean }) {
  return <svg class={`icon${on ? '' : ' off'}`} width="14" height="14" viewBox="0 0 24 24" fill="none" stroke="currentColor"
    stroke-width="2.5" aria-hidden="true"><path d={ascending ? 'M6 15l6-6 6 6' : 'M6 9l6 6 6-6'} /></svg>
}

function look<Row>(column: Column<Row>): string {
  return `${column.end ? 'end' : ''}${column.fit ? ' fit' : ''}${column.wide ? ' wide' : ''}${column.minor ? ' minor' : ''}`
}

function sortState<Row>(order: { by: string, ascending: boolean }, column: Column<Row>, sortable: readonly Column<Row>[]) {
  if (!sortable.includes(column)) return {}
  return { 'aria-sort': order.by !== column.id ? 'none' as const : order.ascending ? 'ascending' as const : 'descending' as const }
}

/** Rows whose columns have the texts that are looked for, case ignored. */
export function filtered<Row>(rows: readonly Row[], columns: readonly Column<Row>[], texts: Readonly<Record<string, string>>): readonly Row[] {
  const wanted = columns.flatMap(({ id, search }) => {
    const text = texts[id]?.trim().toLowerCase() ?? ''
    return search && text !== '' ? [{ search, text }] : []
  })
  return wanted.length === 0 ? rows : rows.filter(row => wanted.every(({ search, text }) => search(row).toLowerCase().includes(text)))
}

const COLLATOR = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })

/** Rows in the order of a column; equal ones stay as they were. */
export function sorted<Row>(rows: readonly Row[], columns: readonly Column<Row>[], by: string, ascending: boolean): readonly Row[] {
  const value = columns.find(column => column.id === by)?.sort
  if (!value) return rows
  const sign = ascending ? 1 : -1
  return [...rows].sort((a, b) => {
    const [left, right] = [value(a), value(b)]
    return sign * (typeof left === 'number' && typeof right === 'number' ? left - right : COLLATOR.compare(String(left), String(right)))
  })
}

export function Empty({ icon = 'info', children }: { icon?: IconName, children: ComponentChildren }) {
  return <div class="empty"><Icon name={icon} size={28} />{children}</div>
}

export function Skeleton() {
  return <div class="skeleton" role="status" aria-label="Loading"><span /><span /><span /></div>
}
