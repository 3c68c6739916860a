// Everything the prelude uses is captured here, before a spell can replace it (JS-03).
const host = globalThis.__host;
delete globalThis.__host;

const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const ObjectPrototype = Object.prototype;
const { create, defineProperty, freeze, getPrototypeOf, keys, setPrototypeOf } = Object;
const hasOwn = uncurry(Object.prototype.hasOwnProperty);
const tagOf = uncurry(Object.prototype.toString);
const isArray = Array.isArray;
const NativeJson = JSON;
const stringify = JSON.stringify, parse = JSON.parse;
const { isFinite: isFiniteNumber, isInteger, MAX_SAFE_INTEGER } = Number;
const { floor, min } = Math;
const makeText = String, makeNumber = Number;
const fromCode = String.fromCharCode;
const upper = uncurry(String.prototype.toUpperCase);
const slice = uncurry(String.prototype.slice), codeAt = uncurry(String.prototype.charCodeAt);
const indexOf = uncurry(String.prototype.indexOf), startsWith = uncurry(String.prototype.startsWith);
const split = uncurry(String.prototype.split), join = uncurry(Array.prototype.join);
const concat = uncurry(Array.prototype.concat);
const sortList = uncurry(Array.prototype.sort), spliceList = uncurry(Array.prototype.splice);
const isWellFormed = uncurry(String.prototype.isWellFormed), toWellFormed = uncurry(String.prototype.toWellFormed);
const exponential = uncurry(Number.prototype.toExponential);
const replaceText = uncurry(String.prototype.replace), lower = uncurry(String.prototype.toLowerCase);
const testPattern = uncurry(RegExp.prototype.test);
const execPattern = uncurry(RegExp.prototype.exec);
const Bytes = Uint8Array, Buffer = ArrayBuffer, isView = ArrayBuffer.isView;
const viewBuffer = uncurry(Object.getOwnPropertyDescriptor(getPrototypeOf(Uint8Array.prototype), "buffer").get);
const viewOffset = uncurry(Object.getOwnPropertyDescriptor(getPrototypeOf(Uint8Array.prototype), "byteOffset").get);
const viewLength = uncurry(Object.getOwnPropertyDescriptor(getPrototypeOf(Uint8Array.prototype), "byteLength").get);
const isoDate = uncurry(Date.prototype.toISOString);
const NativePromise = Promise, resolved = Promise.resolve.bind(Promise);
const then = uncurry(Promise.prototype.then);
const NativeError = Error, NativeMap = Map, NativeSet = Set, NativeDate = Date;
const mapGet = uncurry(Map.prototype.get), mapSet = uncurry(Map.prototype.set), mapHas = uncurry(Map.prototype.has);
const mapDelete = uncurry(Map.prototype.delete), mapEach = uncurry(Map.prototype.forEach);
const mapSize = uncurry(Object.getOwnPropertyDescriptor(Map.prototype, "size").get);
const setAdd = uncurry(Set.prototype.add), setHas = uncurry(Set.prototype.has), setDelete = uncurry(Set.prototype.delete);
const setEach = uncurry(Set.prototype.forEach);
const NativeProxy = Proxy, NativeWeakMap = WeakMap;
const weakAdd = uncurry(WeakSet.prototype.add), weakHas = uncurry(WeakSet.prototype.has);
const weakGet = uncurry(WeakMap.prototype.get), weakSet = uncurry(WeakMap.prototype.set);
const weakDelete = uncurry(WeakMap.prototype.delete);
const weakMapHas = uncurry(WeakMap.prototype.has);
const iteratorOf = Symbol.iterator;
const applyFunction = Reflect.apply;

// The prelude's parts find each other here; a spell never sees it. It inherits nothing, so that a
// polluted Object.prototype does not show through.
const P = create(null);
P.modules = create(null);
P.after = create(null);

// A list that a setter on Array.prototype can't watch.
const push = (list, value) => defineProperty(list, list.length, {
  __proto__: null, value, writable: true, enumerable: true, configurable: true,
});
