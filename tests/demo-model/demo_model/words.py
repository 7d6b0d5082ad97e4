"""The words of the demo model's small domain, by what they are. Nothing here knows of grammar or sound."""

NAMES = """Anna Maria David Peter James Sarah Michael Emma Daniel Laura Thomas Julia Robert Karen Kevin
Linda Martin Nina Oliver Paul Rachel Simon Susan Tom Victor Alice Brian Chris Diana Eric Frank Grace
Helen Ivan Jack Kate Leo Monica Nathan Olga Sam Tina Walter George""".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = """January February March April May June July August September October November
December""".split()
TEAMS = """marketing sales engineering design support finance legal research product quality security
operations hardware software training""".split()
PROJECTS = "Falcon Phoenix Apollo Aurora Titan Mercury Atlas Neptune Orion Delta".split()
TOPICS = """budget schedule roadmap contract release website database server network prototype survey
proposal strategy policy forecast inventory campaign design launch migration audit interview workshop
training backup dashboard platform application newsletter warehouse factory device microphone camera
battery display firmware interface architecture documentation infrastructure supplier customer
feedback""".split()
ASPECTS = "plan team review report budget meeting status changes update".split()
DOCUMENTS = """report presentation proposal contract summary agenda invoice document checklist
spreadsheet slides draft plan estimate memo specification diagram recording transcript""".split()
PROBLEMS = """delay bug problem issue conflict shortage error failure outage mistake risk bottleneck
leak crash""".split()
CITIES = """London Berlin Paris Boston Chicago Dublin Madrid Vienna Prague Zurich Munich Oslo Tokyo
Toronto Sydney Milan""".split()
PLACES = ["the main office", "the meeting room", "the large conference room", "the second floor",
          "the warehouse", "the lab", "the factory", "the new building", "the training center",
          "the kitchen"]
ADJECTIVES = """important urgent difficult easy expensive cheap interesting simple complex useful
critical risky realistic optimistic reasonable unclear late early ready complete incomplete stable slow
fast safe""".split()
VERBS = """review approve update finish send prepare discuss check test improve share change cancel
postpone publish verify rewrite translate print archive sign present deliver replace repair measure
document explain simplify clean""".split()
PARTICIPLES = """reviewed approved updated finished sent prepared discussed checked tested improved
shared changed canceled postponed published verified rewritten translated printed archived signed
presented delivered replaced repaired measured documented explained simplified cleaned""".split()
WHEN = ["today", "tomorrow", "next week", "this week", "next month", "this month",
        "by the end of the week", "by the end of the month", "by the end of the day", "this afternoon",
        "tomorrow morning", "after lunch", "before lunch", "in the morning", "next year",
        "as soon as possible", "right now", "later today", "next quarter", "this quarter",
        "before the holidays", "after the meeting", "before the next meeting", "over the weekend"]
PAST = ["yesterday", "last week", "last month", "last year", "last quarter", "this morning",
        "on Monday", "on Friday", "two days ago", "a week ago", "three weeks ago", "last night",
        "earlier today"]
PEOPLE = ["everyone", "the customer", "our supplier", "the board", "our manager"]
COUNTABLE = """people customers users engineers meetings tickets orders units servers licenses tests
changes questions comments pages slides features requests offices laptops sensors samples""".split()
PERIODS = "minutes hours days weeks months years".split()
COLORS = "red green blue yellow black white orange purple".split()
