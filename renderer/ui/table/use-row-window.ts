/**
 * Of a long table only the rows in sight are made, and two spacers stand for the others. Rows have one height; one of
 * them may have details below it, whose height is measured.
 */
import { computed, onBeforeUnmount, ref, watch, type ComputedRef, type Ref } from 'vue';

/** Up to here all rows are made: they may then have heights of their own, and the browser finds words in them. */
export const ROWS_MADE_MAX = 200;
/** Made beyond each edge, so that a quick turn of the wheel shows rows and no gap. */
const ROWS_BEYOND = 12;
/** The window moves in steps of so many rows: not each pixel makes rows anew. */
const STEP_ROWS = 6;
/** Before the frame has been measured. */
const FIRST_HEIGHT_PX = 640;

export interface WindowInput {
  readonly rowCount: number;
  readonly rowHeight: number;
  /** Of the frame: how far it is scrolled and how much of it is seen. */
  readonly scrollTop: number;
  readonly viewHeight: number;
  /** The row whose details are open, and their height. */
  readonly details?: { readonly index: number; readonly height: number } | undefined;
}

export interface RowWindow {
  /** The first row that is made, and the first that is not any more. */
  readonly first: number;
  readonly end: number;
  /** Heights of what is not made, px. */
  readonly before: number;
  readonly after: number;
}

/** Pure. */
export function rowWindow({ rowCount, rowHeight, scrollTop, viewHeight, details }: WindowInput): RowWindow {
  const detailsTop = details === undefined ? Infinity : (details.index + 1) * rowHeight;
  const detailsHeight = details?.height ?? 0;
  const indexAt = (offset: number): number =>
    offset <= detailsTop ? offset / rowHeight : Math.max(detailsTop, offset - detailsHeight) / rowHeight;
  const seenFirst = Math.floor(indexAt(scrollTop) / STEP_ROWS) * STEP_ROWS;
  const seenEnd = Math.ceil(indexAt(scrollTop + viewHeight) / STEP_ROWS) * STEP_ROWS;
  const end = Math.min(rowCount, seenEnd + ROWS_BEYOND);
  const first = Math.max(0, Math.min(seenFirst - ROWS_BEYOND, end));
  const isAbove = details !== undefined && details.index < first;
  const isBelow = details !== undefined && details.index >= end;
  return {
    first,
    end,
    before: first * rowHeight + (isAbove ? detailsHeight : 0),
    after: (rowCount - end) * rowHeight + (isBelow ? detailsHeight : 0),
  };
}

export interface ShownWindow {
  readonly shown: ComputedRef<RowWindow>;
  readonly isWindowed: ComputedRef<boolean>;
  readonly onScroll: () => void;
  /** Brings a row into sight, whether it is made or not. */
  readonly reveal: (index: number) => void;
}

export function useRowWindow(
  frame: Ref<HTMLElement | undefined>,
  input: () => Omit<WindowInput, 'scrollTop' | 'viewHeight'> & { readonly headHeight: number },
): ShownWindow {
  const scrollTop = ref(0);
  const viewHeight = ref(0);
  const isWindowed = computed(() => input().rowCount > ROWS_MADE_MAX);

  const shown = computed<RowWindow>((before) => {
    const { rowCount } = input();
    if (!isWindowed.value) return { first: 0, end: rowCount, before: 0, after: 0 };
    const height = viewHeight.value === 0 ? FIRST_HEIGHT_PX : viewHeight.value;
    const next = rowWindow({ ...input(), scrollTop: scrollTop.value, viewHeight: height });
    const isSame =
      before !== undefined &&
      before.first === next.first &&
      before.end === next.end &&
      before.before === next.before &&
      before.after === next.after;
    return isSame ? before : next;
  });

  const measure = (): void => {
    viewHeight.value = frame.value?.clientHeight ?? 0;
  };
  const observer = typeof ResizeObserver === 'undefined' ? undefined : new ResizeObserver(measure);
  watch(
    frame,
    (next, previous) => {
      if (previous != null) observer?.unobserve(previous);
      if (next === undefined) return;
      observer?.observe(next);
      measure();
    },
    { immediate: true, flush: 'post' },
  );
  onBeforeUnmount(() => observer?.disconnect());

  return {
    shown,
    isWindowed,
    onScroll() {
      scrollTop.value = frame.value?.scrollTop ?? 0;
    },
    reveal(index) {
      const element = frame.value;
      if (element === undefined || !isWindowed.value) return;
      const { rowHeight, headHeight, details } = input();
      const top = index * rowHeight + (details !== undefined && details.index < index ? details.height : 0);
      const seen = element.clientHeight - headHeight;
      if (top < element.scrollTop) element.scrollTop = top;
      else if (top + rowHeight > element.scrollTop + seen) element.scrollTop = top + rowHeight - seen;
      scrollTop.value = element.scrollTop;
    },
  };
}
