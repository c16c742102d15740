// The lane console, live: every section draws itself from what the console tells.

import * as doing from "./doing.js";
import * as edit from "./edit.js";
import * as journal from "./journal.js";
import * as lanes from "./lanes.js";
import * as mesh from "./mesh.js";
import * as newlane from "./newlane.js";
import * as plane from "./plane.js";
import * as requests from "./requests.js";
import * as rules from "./rules.js";
import * as services from "./services.js";
import * as topology from "./topology.js";
import * as traffic from "./traffic.js";
import * as waterfall from "./waterfall.js";
import { listen } from "./events.js";

document.body.classList.add("scripted");
for (const section of [doing, plane, mesh, topology, lanes, newlane, requests, waterfall, services, rules, edit, journal, traffic]) section.start();
listen();
