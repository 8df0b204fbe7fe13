package pcap

// A list of things that hold their own place in it, so that they can be moved
// without a search and without an allocation. The first has been in it longest.
type list[T any] struct {
	root node[T] // before the first and after the last
	len  int
}

// A node is a place in a list.
type node[T any] struct {
	prev, next *node[T]
	value      *T
}

func newList[T any]() *list[T] {
	l := &list[T]{}
	l.root.prev, l.root.next = &l.root, &l.root
	return l
}

// first is nil if the list is empty.
func (l *list[T]) first() *T { return l.root.next.value }

// add puts n at the end.
func (l *list[T]) add(n *node[T]) {
	n.prev, n.next = l.root.prev, &l.root
	n.prev.next, n.next.prev = n, n
	l.len++
}

func (l *list[T]) remove(n *node[T]) {
	n.prev.next, n.next.prev = n.next, n.prev
	n.prev, n.next = nil, nil
	l.len--
}
