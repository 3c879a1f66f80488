// @ts-check
// The entry of every page: connects the parts. Pages work without it; it makes them live.
import { connect } from "./events.js";
import "./live.js";
import "./log.js";
import "./tools.js";

connect(document.body.dataset.events);
